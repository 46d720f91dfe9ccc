"""A meta-training run in the twin: it can be stopped and resumed, refuses another recipe, and can be evaluated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gmps_robot.checkpoint import load_checkpoint
from gmps_robot.errors import ConfigError
from gmps_robot.families import family
from gmps_robot.learning.gmps import GmpsSettings
from gmps_robot.learning.inner import AdaptSettings
from gmps_robot.learning.outer import OuterSettings
from gmps_robot.learning.recipe import DemonstrationSettings, Recipe
from gmps_robot.learning.warmup import WarmupSettings
from gmps_robot.policy import PolicySpec, expand, init_fast, init_slow
from gmps_robot.tasks import contexts
from gmps_robot.tracking import read_metrics
from sim.evaluation import Evaluation, evaluate
from sim.rollouts import VecSimulator
from sim.training import train

SMALL = Recipe(
    name="small", tasks=4, demonstrations=DemonstrationSettings(2, 0.1),
    warmup=WarmupSettings(steps=30, samples=40, aggregations=1, rollouts=1),
    gmps=GmpsSettings(iterations=2, pool_episodes=16, aggregations=1),
    outer=OuterSettings(steps=3, tasks_per_step=4, episodes=4, demo_samples=20, min_ess=0.0),
)  # fmt: skip


class PowerCutError(Exception):
    """Stands for a power cut."""


def silent(stage: str, done: int, total: int, record: dict[str, float]) -> None:
    """Report to nobody."""


def cut_in_second_iteration(stage: str, done: int, total: int, record: dict[str, float]) -> None:
    if stage == "meta-training" and done == 4:
        raise PowerCutError


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    train(SMALL, out, silent)
    return out


def test_a_resumed_run_ends_like_one_that_was_never_stopped(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(PowerCutError):
        train(SMALL, tmp_path, cut_in_second_iteration)
    train(SMALL, tmp_path, silent)
    one, two = load_checkpoint(whole), load_checkpoint(tmp_path)
    for part in ("fast", "step_sizes", "belief"):
        a, b = getattr(one, part), getattr(two, part)
        assert all(torch.equal(a[k], b[k]) for k in a), part
    assert one.meta["environment_steps"] == two.meta["environment_steps"]
    steps = [record["step"] for record in read_metrics(tmp_path) if "imitation" in record]
    assert steps == sorted(set(steps)), "the steps that were lost are logged once"


def test_every_sample_is_counted(whole: Path) -> None:
    """Demonstrations, warm-up aggregation (one round inside, one after), two pools, one adapted pool and its labels."""
    episodes = 4 * 2 + 2 * 4 * 1 + 2 * 16 + 4 * 4 + 4 * 1
    assert max(r.get("samples", 0.0) for r in read_metrics(whole)) == episodes * 50
    success_model = 16
    assert load_checkpoint(whole).meta["environment_steps"] == str((episodes + success_model) * 50)


def test_a_folder_holds_one_recipe(whole: Path) -> None:
    with pytest.raises(ConfigError, match="another recipe or seed"):
        train(replace(SMALL, seed=1), whole, silent)


def test_evaluation_is_repeatable_and_complete(whole: Path) -> None:
    policy, push = load_checkpoint(whole), family("push")
    tables = [
        evaluate(policy, push, push.sample("val", 6, 0), VecSimulator(push, threads=threads), AdaptSettings(),
                 episodes=4, updates=2, reward="binary", seed=0)
        for threads in (1, 2)
    ]  # fmt: skip
    assert np.array_equal(tables[0].distance, tables[1].distance)
    table = tables[0].table()
    assert set(table["success"]) == {"pre", "1", "2"}  # type: ignore[call-overload]
    assert table["goals"] == 6
    assert table["environment_steps"] == 6 * 50 * (3 + 2 * 4)


@pytest.mark.parametrize("belief", [False, True])
def test_what_a_task_meets_does_not_depend_on_the_tasks_beside_it(
    whole: Path, belief: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy, push = load_checkpoint(whole), family("push")
    settings = AdaptSettings(adapt="latent", latent_update="belief") if belief else AdaptSettings()

    def run(goals: int) -> Evaluation:
        return evaluate(policy, push, push.sample("val", goals, 0), VecSimulator(push), settings,
                        episodes=4, updates=2, reward="distance", seed=0)  # fmt: skip

    many = run(5)
    np.testing.assert_allclose(run(3).distance, many.distance[:, :3], atol=1e-6)
    monkeypatch.setattr("sim.rollouts.WORLDS_AT_ONCE", 8)  # two tasks at a time
    np.testing.assert_allclose(run(5).distance, many.distance, atol=1e-6)


def test_an_update_that_diverges_is_not_taken(whole: Path) -> None:
    policy, push = load_checkpoint(whole), family("push")
    result = evaluate(policy, push, push.sample("val", 3, 0), VecSimulator(push), AdaptSettings(step_scale=1e4),
                      episodes=4, updates=1, reward="distance", seed=0)  # fmt: skip
    assert result.refused.all()
    assert np.array_equal(result.distance[0], result.distance[1])


def test_who_takes_no_update_explores_on_as_widely(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy, push = load_checkpoint(whole), family("push")
    draws: dict[float, list[torch.Tensor]] = {1.0: [], 1e4: []}
    roll_out = VecSimulator.roll_out
    for scale, seen in draws.items():

        def spy(*words: Any, seen: list[torch.Tensor] = seen, **named: Any) -> Any:
            seen.append(words[5])
            return roll_out(*words, **named)

        monkeypatch.setattr(VecSimulator, "roll_out", spy)
        evaluate(policy, push, push.sample("val", 2, 0), VecSimulator(push), AdaptSettings(step_scale=scale),
                 episodes=4, updates=2, reward="distance", seed=0)  # fmt: skip
    taken, refused = (seen[3] for seen in draws.values())  # score, first update, score, second update
    torch.testing.assert_close(refused, 2.0 * taken)


def test_belief_reads_each_label_before_the_next_episode(whole: Path) -> None:
    policy, push = load_checkpoint(whole), family("push")
    result = evaluate(policy, push, push.sample("val", 3, 0), VecSimulator(push),
                      AdaptSettings(adapt="latent", latent_update="belief"),
                      episodes=2, updates=2, reward="binary", seed=0)  # fmt: skip
    assert result.success.shape == (3, 3)
    assert result.steps == 3 * 50 * (3 + 2 * 2)


def test_every_training_episode_has_its_own_camera_and_a_seed_repeats_them() -> None:
    push, spec = family("push"), PolicySpec("vision")
    generator = torch.Generator().manual_seed(0)
    slow, fast = init_slow(spec, generator), init_fast(spec, generator, -1.6)
    goals = contexts(push.sample("train", 2, 0))
    first = []
    for simulator in (VecSimulator(push), *(VecSimulator(push, randomise={"camera_translation": (0.02,) * 3}),) * 2):
        rolled = simulator.roll_out(
            spec, slow, expand(fast, 2), goals, torch.zeros(2, 2, 3), torch.Generator().manual_seed(1), keep_images=True
        )
        assert rolled.images is not None
        first.append(rolled.images[:, :, 0].flatten(0, 1))
    fixed, moved, again = first
    assert all(torch.equal(fixed[0], image) for image in fixed[1:])
    assert not any(torch.equal(moved[i], moved[j]) for i in range(4) for j in range(i))
    assert torch.equal(moved, again)
