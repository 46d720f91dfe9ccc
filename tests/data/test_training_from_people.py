"""`gmps meta-train --demos`: from recorded episodes to a checkpoint, by the command that trains from experts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gmps_robot import config
from gmps_robot.checkpoint import load_checkpoint
from gmps_robot.cli.main import main
from gmps_robot.data.catalog import Catalog, EpisodeFilter
from gmps_robot.data.keep import keep
from gmps_robot.data.models import Checkpoint
from gmps_robot.families import family
from gmps_robot.learning.gmps import GmpsSettings
from gmps_robot.learning.outer import OuterSettings
from gmps_robot.learning.recipe import DemonstrationSettings, Recipe
from gmps_robot.learning.warmup import WarmupSettings
from sim.scripted_operator import ScriptedOperator
from sim.taught_episodes import teach
from sim.twin import Twin

PUSH = family("push")
SMALL = Recipe(
    name="small", kind="vision", tasks=5, demonstrations=DemonstrationSettings(1, 0.1),
    warmup=WarmupSettings(steps=10, samples=40, aggregations=1, rollouts=1),
    gmps=GmpsSettings(iterations=1, pool_episodes=10, aggregations=1, latent_std=0.0),
    outer=OuterSettings(steps=2, tasks_per_step=4, episodes=2, demo_samples=10, min_ess=0.0),
)  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a scripted operator taught of four tasks; none of the fifth."""
    folder, twin = tmp_path_factory.mktemp("data"), Twin(PUSH)
    with Catalog(folder) as catalog:
        catalog.plan("push", "train", 5, 1, 0, "ada")
        for number, task in enumerate(PUSH.sample("train", 4, 0)):
            keep(catalog, teach(twin, task, folder, number).path)
    return folder


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    config.save(SMALL, tmp_path / "small.yaml")
    return tmp_path / "small.yaml"


def meta_train(recipe: Path, data: Path, out: Path, demos: str) -> int:
    return main(["meta-train", str(recipe), "--data", str(data), "--out", str(out), "--demos", demos])


def test_the_scripted_operator_solves_what_it_teaches(data: Path) -> None:
    with Catalog(data) as catalog:
        assert catalog.count(EpisodeFilter(accepted=True, success=True, source="demo")) == 4
        assert catalog.quota("push").next == PUSH.sample("train", 5, 0)[4]


def test_people_alone_teach_a_policy_that_adapts(
    data: Path, recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert meta_train(recipe, data, out, "catalog:push") == 0
    said = capsys.readouterr().out
    assert "4 demonstrations of 4 tasks" in said
    assert "without any accepted demonstration: push-train-s0-4; trained without them" in said
    assert "nothing is aggregated" in said
    policy = load_checkpoint(out)
    assert policy.meta["demonstrations"] == "catalog:push"
    saved = config.load(Recipe, out / "recipe.yaml")
    assert (saved.tasks, saved.demonstrations.dataset) == (4, policy.meta["dataset"])
    demos = torch.load(out / "training.pt", weights_only=True)["demos"]
    assert demos[0].shape[0] == 4
    assert demos[2].shape[2:] == (48, 64, 3)
    with Catalog(data) as catalog:
        (run,) = catalog.runs("meta")
        assert (run.state, run.path, run.dataset) == ("done", str(out.resolve()), policy.meta["dataset"])
        (checkpoint,) = catalog.rows(Checkpoint)
        assert (checkpoint.run, checkpoint.path) == (run.id, run.path)


def test_people_and_expert_together_cover_every_task(data: Path, recipe: Path, tmp_path: Path) -> None:
    assert meta_train(recipe, data, tmp_path / "mixed", "catalog:push+expert") == 0
    proprio, labels, images = torch.load(tmp_path / "mixed" / "training.pt", weights_only=True)["demos"]
    assert len(proprio) == len(labels) == len(images) == 5  # the fifth by the expert alone
    policy = load_checkpoint(tmp_path / "mixed")
    assert policy.meta["command"].endswith("--demos 'catalog:push+expert'")


def test_another_choice_of_episodes_is_another_run(
    data: Path, recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = replace(SMALL, kind="state", gmps=replace(SMALL.gmps, iterations=0))
    config.save(quick, recipe)
    assert meta_train(recipe, data, tmp_path / "one", "catalog:push+expert") == 0
    assert meta_train(recipe, data, tmp_path / "one", "catalog:push") == 2
    assert "holds a run of another recipe or seed" in capsys.readouterr().err
    with Catalog(data) as catalog:
        assert {run.state for run in catalog.runs() if run.path == str((tmp_path / "one").resolve())} == {"done"}


def test_nothing_taught_is_said_before_anything_is_trained(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert meta_train(recipe, tmp_path / "empty", tmp_path / "out", "catalog:push") == 2
    assert "accepted demonstrations of 0 tasks" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_rig_the_twin_does_not_show_is_refused(
    data: Path, recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Catalog(tmp_path / "data") as catalog, Catalog(data) as taught:
        for row in taught.episodes():
            target = catalog.data / row.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(taught.file(row).read_bytes())
            kept = keep(catalog, target)
            kept.rig = "3fa0"
            catalog.put(kept)
    assert meta_train(recipe, tmp_path / "data", tmp_path / "out", "catalog:push") == 2
    assert "rig 3fa0" in capsys.readouterr().err


def test_an_operator_that_sees_late_gives_up_in_time() -> None:
    task = PUSH.sample("train", 1, 0)[0]
    twin = Twin(PUSH)
    person = ScriptedOperator(PUSH, task, np.random.default_rng(0))
    while not person.done:
        person.act(twin.scene())  # the arm is switched off
    assert person.gave_up
