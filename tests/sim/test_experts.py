"""Experts: the scripted one solves held-out tasks; a trained one is saved, loaded, resumed, and refuses the wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from gmps_robot.errors import CheckpointError, ConfigError
from gmps_robot.families.push import PushFamily
from gmps_robot.learning.sac import SacSettings
from gmps_robot.tasks import contexts
from gmps_robot.tracking import read_metrics
from sim.demonstrations import collect_demonstrations
from sim.expert_training import BEST, ExpertSettings, Run, evaluate_expert, train_expert
from sim.experts import PrivilegedProblem, ScriptedExpert, load_expert

FAMILY = PushFamily()
TINY = ExpertSettings(
    demos=3, worlds=2, max_samples=550, updates_per_sample=0.2, validation_tasks=4, validate_every=100,
    sac=SacSettings(hidden=(16, 16), batch_size=16),
)  # fmt: skip


def _train(out: Path, settings: ExpertSettings = TINY, *, resume: bool = False) -> Run:
    return train_expert(FAMILY, settings, out, max_seconds=1e9, resume=resume)


def test_the_scripted_expert_solves_held_out_tasks() -> None:
    result = evaluate_expert(FAMILY, ScriptedExpert(FAMILY), "test", 100, seed=0)
    assert result.success >= 0.98
    assert result.steps == 100 * FAMILY.horizon


def test_the_learner_sees_the_goal_the_last_action_and_what_is_missing() -> None:
    problem = PrivilegedProblem.of(FAMILY, 0.05)
    state = np.zeros((1, problem.state_size), np.float32)
    state[0, 3:6] = (0.60, 0.0, 0.02)
    state[0, 10:] = (0.1, 0.2, 0.3)
    goal = np.array([[0.70, 0.05]], np.float32)
    features = problem.features(state, goal)
    assert features.shape == (1, problem.feature_size)
    np.testing.assert_allclose(features[0, 6:9], (0.1, 0.2, 0.3))
    np.testing.assert_allclose(features[0, -2:] * problem.context_scale, (0.10, 0.05), atol=1e-6)
    np.testing.assert_allclose(problem.achieved(state), [[0.60, 0.0]])


def test_rewards_of_the_learner_are_the_familys_step_by_step() -> None:
    made = collect_demonstrations(FAMILY, FAMILY.sample("train", 2, 0), 1, 0.0, 0)
    goals = contexts(made.tasks)
    whole = replace(made.scenes(), tip=made.scenes().tip[:, 0, 1:], object_pose=made.scenes().object_pose[:, 0, 1:])
    expected = FAMILY.reward(whole, goals, "dense")
    problem = PrivilegedProblem.of(FAMILY, 0.05)
    states = problem.pack(made.scenes(), np.zeros((2, 1, FAMILY.horizon + 1, 3)))[:, 0, 1:]
    for step in (0, 25, 49):
        got = problem.rewards(states[:, step], goals.astype(np.float32))
        np.testing.assert_allclose(got, 0.05 * expected[:, step], atol=1e-4)


def test_a_resumed_run_ends_exactly_like_an_uninterrupted_one(tmp_path: Path) -> None:
    whole = _train(tmp_path / "whole")

    class StoppedError(Exception):
        pass

    def stop(run: Run) -> None:
        if len(run.records) == 3:
            raise StoppedError

    with pytest.raises(StoppedError):
        train_expert(FAMILY, TINY, tmp_path / "parts", max_seconds=1e9, on_progress=stop)
    resumed = _train(tmp_path / "parts", resume=True)
    assert resumed.replay.samples == whole.replay.samples == 550
    assert all(torch.equal(w, resumed.learner.actor[k]) for k, w in whole.learner.actor.items())
    assert [r["distance"] for r in resumed.records] == [r["distance"] for r in whole.records]
    assert [r["step"] for r in read_metrics(tmp_path / "parts")] == [r["samples"] for r in whole.records]


def test_samples_count_demonstrations_and_validation_is_counted_apart(tmp_path: Path) -> None:
    run = _train(tmp_path)
    assert run.records[0]["samples"] == 3 * FAMILY.horizon
    assert run.replay.samples == (run.replay.demos + run.replay.added) * FAMILY.horizon
    assert run.validation_steps == len(run.records) * 4 * FAMILY.horizon
    assert run.learner.updates == int(0.2 * run.replay.samples)


def test_a_run_is_not_overwritten_nor_resumed_with_other_settings(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing to resume"):
        _train(tmp_path, resume=True)
    records = _train(tmp_path).records
    assert _train(tmp_path, resume=True).records == records  # it was finished
    with pytest.raises(ConfigError, match="already holds a run"):
        _train(tmp_path)
    with pytest.raises(ConfigError, match="resumed unchanged"):
        _train(tmp_path, replace(TINY, seed=1), resume=True)
    state = tmp_path / "training.pt"
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="is damaged"):
        _train(tmp_path, resume=True)


def test_time_limit_ends_a_run_with_a_checkpoint(tmp_path: Path) -> None:
    ticks = iter(range(1000))
    run = train_expert(FAMILY, TINY, tmp_path, max_seconds=2.0, clock=lambda: float(next(ticks)))
    assert run.replay.samples < TINY.max_samples
    assert (tmp_path / BEST / "expert.safetensors").is_file()


def test_a_saved_expert_acts_as_before_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    _train(tmp_path)
    expert = load_expert(str(tmp_path / BEST), FAMILY)
    scene = collect_demonstrations(FAMILY, FAMILY.sample("train", 2, 0), 1, 0.0, 0).scenes()
    start = replace(scene, tip=scene.tip[:, 0, 0], object_pose=scene.object_pose[:, 0, 0])
    action = expert.act(start, np.array([[0.7, 0.0], [0.7, 0.1]]), np.zeros((2, 4)))
    assert action.shape == (2, 3)
    assert not np.array_equal(action[0], action[1])  # the goal matters
    with pytest.raises(CheckpointError, match="no expert in"):
        load_expert(str(tmp_path / "nowhere"), FAMILY)
    with pytest.raises(CheckpointError, match="is of family 'push', not 'door'"):
        load_expert(str(tmp_path / BEST), replace(FAMILY, name="door"))
    path = tmp_path / BEST / "expert.safetensors"
    save_file({k: w * float("nan") for k, w in load_file(path).items()}, path)
    with pytest.raises(CheckpointError, match="not finite"):
        load_expert(str(tmp_path / BEST), FAMILY)
