"""`gmps adapt` from a checkpoint to its results, on the twin."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gmps_robot.checkpoint import load_checkpoint, save_checkpoint
from gmps_robot.cli.adapt import AdaptOptions, find_task, run
from gmps_robot.data.catalog import Catalog
from gmps_robot.errors import CheckpointError, ConfigError, TaskError
from gmps_robot.families.push import PushFamily
from gmps_robot.tracking import read_metrics
from tests.unit.session_world import make_policy

FAMILY = PushFamily()


@pytest.fixture(name="checkpoint")
def _checkpoint(tmp_path: Path) -> str:
    """A policy that pushes straight ahead, and a little sideways as its latent says."""
    policy = make_policy()
    fast = {**policy.fast, "fc2.bias": torch.tensor([0.6, 0.0, 0.0])}
    fast["fc2.weight"] = torch.zeros_like(fast["fc2.weight"])
    save_checkpoint(replace(policy, fast=fast), tmp_path / "straight")
    return str(tmp_path / "straight")


def test_a_whole_adaptation_leaves_numbers_picture_film_and_policy(
    checkpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    options = AdaptOptions(
        checkpoint, task="3", episodes=4, evaluations=1, grade="distance", out=out, json=tmp_path / "copy.json"
    )
    assert run(options) == 0
    told = json.loads((out / "result.json").read_text())
    assert told == json.loads((tmp_path / "copy.json").read_text())
    assert told["task"] == "push-test-s0-3"
    assert told["phase"] in ("done", "rolled_back")
    assert len(told["episodes"]["adapt"]) == 4
    assert len({e["return"] for e in told["episodes"]["adapt"]}) > 1
    for episode in told["episodes"]["adapt"]:
        assert episode["return"] == pytest.approx(-episode["distance_m"], abs=1e-5)
    assert {p.name for p in out.iterdir()} == {
        "result.json", "summary.png", "film.mp4", "phi-1", "options.yaml", "session.yaml", "metrics.jsonl"
    }  # fmt: skip
    assert [line["return"] for line in read_metrics(out)] == [e["return"] for e in told["episodes"]["adapt"]]
    with Catalog() as catalog:
        (written,) = [row for row in catalog.runs("adapt") if row.path == str(out.resolve())]
    assert written.state == "done"
    theta, phi = load_checkpoint(checkpoint), load_checkpoint(out / "phi-1")
    assert any(not torch.equal(theta.fast[name], phi.fast[name]) for name in theta.fast)
    assert phi.meta["parent"] == checkpoint
    assert told["policy"] == (str(out / "phi-1") if told["decision"] == "accepted" else checkpoint)
    printed = capsys.readouterr().out
    assert "learning, episode 4: return" in printed
    assert "policy in force" in printed


def test_equal_labels_are_told_and_leave_no_adapted_policy(
    checkpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    far = FAMILY.sample("ood", 1, 0)[0].to_json().replace('"ood"', '"test"')
    options = AdaptOptions(checkpoint, task=far, episodes=2, evaluations=0, film=False, out=tmp_path / "out")
    assert run(options) == 0
    assert "nothing to learn from" in capsys.readouterr().out
    assert not (tmp_path / "out" / "phi-1").exists()
    assert json.loads((tmp_path / "out" / "result.json").read_text())["decision"] == "rolled_back"


def test_ctrl_c_keeps_what_was_collected(
    checkpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sim.twin import Twin

    resets = 0
    reset_scene = Twin.reset_scene

    def interrupted(self: Twin, task: object, seed: int) -> None:
        nonlocal resets
        resets += 1
        if resets == 4:  # the first one is the twin's own
            raise KeyboardInterrupt
        reset_scene(self, task, seed)  # type: ignore[arg-type]

    monkeypatch.setattr(Twin, "reset_scene", interrupted)
    options = AdaptOptions(checkpoint, episodes=3, evaluations=1, film=False, out=tmp_path / "out")
    assert run(options) == 130
    told = json.loads((tmp_path / "out" / "result.json").read_text())
    assert told["phase"] == "stopped"
    assert len(told["episodes"]["before"]) == 1
    assert len(told["episodes"]["adapt"]) == 1


def test_the_same_command_gives_the_same_numbers(checkpoint: str, tmp_path: Path) -> None:
    def distances(name: str) -> list[float]:
        run(AdaptOptions(checkpoint, episodes=2, evaluations=0, film=False, out=tmp_path / name))
        told = json.loads((tmp_path / name / "result.json").read_text())
        return [episode["distance_m"] for episode in told["episodes"]["adapt"]]

    assert distances("one") == distances("two")


def test_tasks_are_those_of_the_evaluation() -> None:
    drawn = FAMILY.sample("test", 100, 5)
    assert find_task(AdaptOptions("x", task="7", seed=5), FAMILY) == drawn[7]
    assert find_task(AdaptOptions("x", task=drawn[9].to_json()), FAMILY) == drawn[9]


@pytest.mark.parametrize("task", ["100", "-1", "seven", "{}", '{"family": "door"}'])
def test_a_task_that_does_not_exist_is_named(task: str) -> None:
    with pytest.raises(TaskError, match="task"):
        find_task(AdaptOptions("x", task=task), FAMILY)


def test_bad_input_is_named_before_anything_moves(checkpoint: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        run(AdaptOptions(str(tmp_path / "nowhere"), out=tmp_path / "out"))
    with pytest.raises(ConfigError, match="needs a terminal"):
        run(AdaptOptions(checkpoint, reward="human", out=tmp_path / "out"))
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match="cannot write to the output folder"):
        run(AdaptOptions(checkpoint, out=tmp_path / "file" / "out"))
    with pytest.raises(ConfigError, match="episodes = 1"):
        run(AdaptOptions(checkpoint, episodes=1, out=tmp_path / "out"))


def test_a_person_at_the_terminal_is_asked_until_the_answer_is_one(
    checkpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["perhaps", "y", "N", "yes"])
    asked: list[str] = []

    def answer(question: str) -> str:
        asked.append(question)
        return next(answers)

    monkeypatch.setattr("builtins.input", answer)
    monkeypatch.setattr("sys.stdin", type("Terminal", (), {"isatty": staticmethod(lambda: True)})())
    options = AdaptOptions(checkpoint, reward="human", episodes=3, evaluations=0, film=False, out=tmp_path / "out")
    assert run(options) == 0
    told = json.loads((tmp_path / "out" / "result.json").read_text())
    assert [e["success"] for e in told["episodes"]["adapt"]] == [True, False, True]
    assert told["decision"] == "accepted"
    assert len(asked) == 4
    assert np.all(["cm apart" in question for question in asked])
