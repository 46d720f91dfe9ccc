"""`gmps train-expert` and `gmps collect-demos` from the command line to the files a user finds."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from gmps_robot import config
from gmps_robot.checkpoint import load_checkpoint
from gmps_robot.cli.main import main
from gmps_robot.data.catalog import Catalog
from gmps_robot.learning.gmps import GmpsSettings
from gmps_robot.learning.outer import OuterSettings
from gmps_robot.learning.recipe import Recipe
from gmps_robot.learning.sac import SacSettings
from gmps_robot.learning.warmup import WarmupSettings
from sim.demonstration_files import load_demonstrations
from sim.expert_training import ExpertSettings


def test_train_expert_reports_costs_and_its_expert_makes_demonstrations(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = ExpertSettings(
        demos=2, worlds=2, max_samples=200, updates_per_sample=0.1, validation_tasks=3, validate_every=100,
        sac=SacSettings(hidden=(8, 8), batch_size=8),
    )  # fmt: skip
    config.save(tiny, tmp_path / "tiny.yaml")
    run, result = tmp_path / "run", tmp_path / "result.json"
    command = ["train-expert", "push", "--config", str(tmp_path / "tiny.yaml"), "--out", str(run), "--seed", "3"]
    assert main([*command, "--test-tasks", "5", "--json", str(result)]) == 0
    report = json.loads(result.read_text())
    assert report["samples"] == 200
    assert report["demonstration_samples"] == 100
    assert report["interval"][0] <= report["success"] <= report["interval"][1]
    assert config.load(ExpertSettings, run / "settings.yaml").seed == 3
    assert (run / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert "success" in capsys.readouterr().out
    assert main(command) == 2
    assert "--resume" in capsys.readouterr().err
    with Catalog() as catalog:
        (written,) = [row for row in catalog.runs("expert") if row.path == str(run.resolve())]
    assert (written.state, written.seed, written.config["demos"]) == ("done", 3, 2)

    demos = tmp_path / "demos"
    command = ["collect-demos", "push", "--expert", str(run / "best"), "--tasks", "2", "--per-task", "2"]
    assert main([*command, "--keep-failures", "--out", str(demos)]) == 0
    assert [len(arrays["labels"]) for _, arrays in load_demonstrations(demos)] == [2, 2]
    assert json.loads((demos / "manifest.json").read_text())["samples"] == 200


def test_what_an_expert_showed_is_what_is_trained_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny = Recipe(
        name="tiny", warmup=WarmupSettings(steps=5, samples=20), gmps=GmpsSettings(iterations=1, pool_episodes=8),
        outer=OuterSettings(steps=1, tasks_per_step=2, episodes=4, demo_samples=10, min_ess=0.0),
    )  # fmt: skip
    config.save(tiny, tmp_path / "tiny.yaml")
    shown, few, out = tmp_path / "shown", tmp_path / "few", tmp_path / "run"
    train = ["meta-train", str(tmp_path / "tiny.yaml"), "--out", str(out), "--demos"]
    for folder, tasks in ((shown, "5"), (few, "3")):
        assert main(["collect-demos", "push", "--tasks", tasks, "--per-task", "2", "--out", str(folder)]) == 0
    assert main([*train, f"folder:{few}"]) == 2
    assert "demonstrates 3 tasks, meta-training needs 4 at least" in capsys.readouterr().err
    assert main([*train, f"folder:{shown}"]) == 0
    assert "10 demonstrations of 5 tasks, 500 control steps" in capsys.readouterr().out
    meta = load_checkpoint(out).meta
    assert meta["demonstrations"] == f"folder:{shown}"
    assert meta["dataset"] == hashlib.sha256((shown / "manifest.json").read_bytes()).hexdigest()[:32]
    vision = tmp_path / "vision.yaml"
    config.save(replace(tiny, kind="vision"), vision)
    assert main(["meta-train", str(vision), "--out", str(tmp_path / "v"), "--demos", f"folder:{shown}"]) == 2
    assert "has no images: collect them with --images" in capsys.readouterr().err


def test_the_scripted_expert_reports_in_the_same_form(tmp_path: Path) -> None:
    result = tmp_path / "scripted.json"
    assert main(["train-expert", "push", "--scripted", "--test-tasks", "20", "--json", str(result)]) == 0
    report = json.loads(result.read_text())
    assert report["expert"] == "scripted"
    assert report["success"] == 1.0
    assert report["tasks"] == 20


def test_wrong_input_is_one_message_and_exit_code_two(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train-expert", "pusj", "--scripted"]) == 2
    assert "did you mean 'push'" in capsys.readouterr().err
    assert main(["collect-demos", "push", "--expert", "/nowhere"]) == 2
    assert "no expert in /nowhere" in capsys.readouterr().err
