"""From what people accepted to what meta-training imitates."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gmps_robot.data.catalog import Catalog
from gmps_robot.data.demonstrations import Choice, Demonstrated, load, parse, taught
from gmps_robot.data.episode import read_episode
from gmps_robot.data.keep import keep
from gmps_robot.data.models import Dataset
from gmps_robot.errors import CatalogError, ConfigError
from gmps_robot.families import family
from tests.data import made_episodes as made
from tests.data.episodes import TASKS

PUSH = family("push")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("original")
    with Catalog(data) as catalog:
        catalog.plan("push", "train", 6, 1, 0, "ada")
        for number, task in enumerate(TASKS[:5]):
            show(catalog, task=task.to_json(), started_ns=number)
    return data


@pytest.fixture
def catalog(original: Path, tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(shutil.copytree(original, tmp_path / "data")) as opened:
        yield opened


def show(catalog: Catalog, steps: int = 6, **fields: object) -> made.Saved:
    saved = made.write(catalog.data, made.info(**{"rig": "nominal", **fields}), steps)
    keep(catalog, saved.path)
    return saved


def loaded(catalog: Catalog, text: str = "catalog:push", kind: str = "vision") -> Demonstrated:
    return load(catalog, parse(text), PUSH, kind, text)  # type: ignore[arg-type]


def test_each_task_has_the_periods_of_its_accepted_demonstrations(catalog: Catalog) -> None:
    second = show(catalog, task=TASKS[0].to_json(), started_ns=99)
    shown = loaded(catalog)
    assert [one.task for one in shown.tasks] == sorted(TASKS[:5], key=lambda task: task.task_id)
    assert (shown.tasks[0].episodes, shown.tasks[1].episodes) == (2, 1)
    episode = read_episode(second.path)
    frames = shown.tasks[0].frames
    assert frames is not None
    assert len(frames) == shown.tasks[0].steps == 2 * len(episode)
    assert np.allclose(shown.tasks[0].labels[len(episode) :], episode.commanded[:, :3])  # asked for, not let through
    assert not np.allclose(episode.commanded, episode.applied)
    assert np.allclose(shown.tasks[0].observations[len(episode) :, :3], episode.tips, atol=1e-6)
    assert shown.missing == (TASKS[5],)


def test_what_was_not_accepted_or_is_taken_back_teaches_nothing(catalog: Catalog) -> None:
    show(catalog, task=TASKS[5].to_json(), source="policy")
    rejected = show(catalog, task=TASKS[0].to_json())
    catalog.label(rejected.info.episode, "accepted", 0, "bob")
    put_aside = show(catalog, task=TASKS[1].to_json())
    catalog.discard(put_aside.info.episode, "the lamp", "ada")
    assert [one.episodes for one in loaded(catalog).tasks] == [1] * 5


def test_the_same_episodes_are_the_same_data_set(catalog: Catalog) -> None:
    first = loaded(catalog)
    assert loaded(catalog, kind="state").dataset == first.dataset
    row = catalog.find(Dataset, first.dataset)
    assert row is not None
    assert (len(row.episodes), row.query) == (5, "catalog:push")
    show(catalog, task=TASKS[2].to_json())
    assert loaded(catalog).dataset != first.dataset


def test_conditions_narrow_the_choice(catalog: Catalog) -> None:
    for task in TASKS[:4]:
        show(catalog, task=task.to_json(), operator="bob")
    assert [one.episodes for one in loaded(catalog, "catalog:push,operator=bob").tasks] == [1] * 4
    assert [one.episodes for one in loaded(catalog, "catalog:push,rig=nominal,mode=twin").tasks] == [2] * 4 + [1]


def test_too_few_tasks_are_an_error_that_says_what_to_do(catalog: Catalog) -> None:
    with pytest.raises(CatalogError, match=r"demonstrations of 0 tasks .* needs 4 at least. Teach more"):
        loaded(catalog, "catalog:push,operator=nobody")
    assert loaded(catalog, "catalog:push,operator=nobody+expert").tasks == ()  # the expert shows the rest


def test_a_rig_without_a_camera_or_without_a_scene_is_named(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    real = made.period

    def blind(k: int, source: str = "demo") -> list[made.Sent]:
        return [sent for sent in real(k, source) if sent[0] not in (made.names.SCENE, made.names.IMAGE)]

    monkeypatch.setattr(made, "period", blind)
    show(catalog, task=TASKS[0].to_json())
    with pytest.raises(ConfigError, match="has no scene state: train a vision recipe"):
        loaded(catalog, kind="state")
    with pytest.raises(ConfigError, match="has no camera images: train a state recipe"):
        loaded(catalog, kind="vision")


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("catalog:push", Choice("push")),
        ("catalog:push+expert", Choice("push", (), True)),
        ("catalog:push,operator=ada,rig=3f", Choice("push", (("operator", "ada"), ("rig", "3f")))),
    ],
)
def test_what_demos_may_say(text: str, choice: Choice) -> None:
    assert parse(text) == choice


@pytest.mark.parametrize("text", ["", "people", "catalog:", "catalog", "catalog:push,when=now", "catalog:a+catalog:b"])
def test_what_demos_may_not_say(text: str) -> None:
    with pytest.raises(ConfigError, match="--demos"):
        parse(text)


def test_a_recipe_of_another_family_is_refused(catalog: Catalog) -> None:
    with pytest.raises(ConfigError, match="the recipe is for the family 'push', not 'door'"):
        loaded(catalog, "catalog:door")


def test_thinking_is_left_out_and_stopping_is_kept() -> None:
    speed = np.array([0, 0, 1, 0.5, 0, 0.01, 0.3, 0, 0], dtype=np.float32)
    commanded = np.stack([speed, 0 * speed, 0 * speed, np.full_like(speed, -0.5)], axis=1)
    assert taught(commanded).tolist() == [2, 3, 6, 7, 8]
    assert taught(commanded[:2]).tolist() == []
