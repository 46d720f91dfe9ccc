"""A policy for a rig: what training sees is what that rig's camera shows, and the checkpoint says so."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gmps_robot.checkpoint import load_checkpoint, save_checkpoint
from gmps_robot.cli.main import main
from gmps_robot.errors import ConfigError
from gmps_robot.families import family
from gmps_robot.learning.recipe import load_recipe
from gmps_robot.rig import FramePose, load_rig, save_rig
from gmps_robot.rig_match import mismatch
from sim.demonstrations import collect_demonstrations
from sim.render.camera import rig_camera
from sim.training import claim
from sim.twin import Twin

NOMINAL = load_rig("nominal")
LAB = replace(NOMINAL, name="lab", camera_to_base=FramePose((1.10, 0.05, 0.60), NOMINAL.camera_to_base.quaternion))


def test_demonstrations_for_a_rig_show_what_its_twin_shows() -> None:
    push = family("push")
    made = collect_demonstrations(push, push.sample("train", 1, 0), 1, 0.0, 0, images=True, camera=rig_camera(LAB))
    assert made.images is not None
    first = made.images[0, 0, 0]
    np.testing.assert_array_equal(first, Twin(push, rig=LAB).image())
    assert np.abs(first.astype(int) - Twin(push).image()).max() > 50


def test_a_folder_belongs_to_one_rig(tmp_path: Path) -> None:
    recipe = load_recipe("push-vision")
    claim(recipe, tmp_path / "a", LAB)
    claim(recipe, tmp_path / "a", LAB)
    with pytest.raises(ConfigError, match=f"holds a run for the rig {LAB.rig_id}, not nominal"):
        claim(recipe, tmp_path / "a")
    claim(recipe, tmp_path / "b")
    with pytest.raises(ConfigError, match=f"holds a run for the rig nominal, not {LAB.rig_id}"):
        claim(recipe, tmp_path / "b", LAB)
    assert not (tmp_path / "b" / "rig.yaml").exists()


def test_adapt_refuses_a_checkpoint_of_another_rig_and_says_how_to_take_it_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_rig(LAB, tmp_path / "lab.yaml")
    assert main(["adapt", "push-vision", "--rig", str(tmp_path / "lab.yaml"), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "stands (50.0, 50.0, 50.0) mm from there" in said
    assert "or give --any-rig" in said
    assert not (tmp_path / "out").exists()


def test_evaluation_looks_through_the_camera_that_the_policy_was_trained_for(tmp_path: Path) -> None:
    policy = load_checkpoint("push-vision")
    found = {}
    for name, rig in (("nominal", NOMINAL), ("lab", LAB)):
        folder = tmp_path / name
        save_checkpoint(replace(policy, spec=replace(policy.spec, rig=rig.rig_id)), folder)
        if rig is LAB:
            assert main(["evaluate", str(folder), "--goals", "1", "--updates", "0"]) == 2, "its rig is not known"
            save_rig(rig, folder / "rig.yaml")
        told = tmp_path / f"{name}.json"
        assert main(["evaluate", str(folder), "--goals", "4", "--updates", "0", "--json", str(told)]) == 0
        found[name] = json.loads(told.read_text())
    assert found["nominal"]["distance_m"] != found["lab"]["distance_m"]
    assert found["lab"]["adapt"]["ratio"] == "stopgrad"
    assert found["lab"]["checkpoint_id"] != found["nominal"]["checkpoint_id"]


def test_the_shipped_checkpoints_fit_the_nominal_rig() -> None:
    for name in ("push-vision", "push-vision-camera"):
        assert mismatch(name, NOMINAL) == ""
        assert load_checkpoint(name, rig="nominal").spec.rig == "nominal"
