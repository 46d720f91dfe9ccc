"""A checkpoint and a rig: which views a policy was trained for, and what is said about the others."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gmps_robot.checkpoint import save_checkpoint
from gmps_robot.policy import MetaPolicy, PolicySpec, init_fast, init_slow
from gmps_robot.rig import FramePose, RigCalibration, load_rig, save_rig
from gmps_robot.rig_match import mismatch

NOMINAL = load_rig("nominal")


def moved(x: float = 0.0, turn: float = 0.0) -> RigCalibration:
    """The nominal rig with its camera moved along x [m] and turned about its optical axis [rad]."""
    place = NOMINAL.camera_to_base
    qx, qy, qz, qw = place.quaternion
    s, c = math.sin(turn / 2), math.cos(turn / 2)
    turned = (qx * c + qy * s, qy * c - qx * s, qz * c + qw * s, qw * c - qz * s)
    return replace(NOMINAL, camera_to_base=FramePose((1.05 + x, 0.0, 0.55), turned))


def trained_for(folder: Path, rig: RigCalibration, *, kind: str = "vision", told: bool = True) -> Path:
    """An untrained checkpoint that says it was trained for `rig`."""
    spec = replace(PolicySpec(kind), rig=rig.rig_id)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(0)
    fast = init_fast(spec, generator, -1.0)
    steps = {name: torch.full_like(value, 0.01) for name, value in fast.items()}
    save_checkpoint(MetaPolicy(spec, init_slow(spec, generator), fast, steps, 1.0, {}), folder)
    if told:
        save_rig(rig, folder / "rig.yaml")
    return folder


@pytest.mark.parametrize(
    ("checkpoint", "rig", "fits"),
    [
        ("push-vision", NOMINAL, True),
        ("push-vision", moved(x=0.002), True),  # calibrations of the twin's own camera differ by less
        ("push-vision", moved(x=0.02), False),
        ("push-vision-camera", moved(x=0.02), True),
        ("push-vision-camera", moved(x=0.05), False),
        ("push-vision-camera", moved(turn=0.04), True),
        ("push-vision-camera", moved(turn=0.07), False),
        ("push-state", moved(x=0.5), True),  # sees no image
    ],
)
def test_a_policy_fits_what_its_training_covered(
    checkpoint: str, rig: RigCalibration, fits: bool, tmp_path: Path
) -> None:
    named = trained_for(tmp_path / "state", NOMINAL, kind="state") if checkpoint == "push-state" else checkpoint
    assert (mismatch(named, rig) == "") == fits


def test_the_words_say_what_differs_by_how_much_and_what_to_do() -> None:
    said = mismatch("push-vision", moved(x=0.0412, turn=0.0349))
    assert "push-vision was trained for the rig 'nominal'" in said
    assert "stands (41.2, 0.0, 0.0) mm from there, it learned up to (3.0, 3.0, 3.0)" in said
    assert "is turned (0.0, 0.0, 2.0) deg from there" in said
    assert "gmps meta-train RECIPE --rig FILE" in said


def test_another_lens_or_crop_is_another_view() -> None:
    lens = NOMINAL.camera
    wide = replace(NOMINAL, camera=replace(lens, fx=0.9 * lens.fx, fy=0.9 * lens.fy))
    assert "shows the same up to 3.1 pixels of the policy's image elsewhere" in mismatch("push-vision-camera", wide)
    assert mismatch("push-vision", replace(NOMINAL, camera=replace(lens, fx=1.01 * lens.fx))) == ""
    cropped = replace(NOMINAL, camera=replace(lens, crop=(80, 60, 560, 420)))
    assert "crop" in mismatch("push-vision", cropped)


def test_a_checkpoint_of_a_rig_fits_that_rig_and_remembers_it(tmp_path: Path) -> None:
    lab = moved(x=0.3)
    known = trained_for(tmp_path / "known", lab)
    assert mismatch(known, lab) == ""
    assert mismatch(known, moved(x=0.301)) == ""
    assert "stands (-300.0, 0.0, 0.0) mm" in mismatch(known, NOMINAL)
    assert "does not say what it saw" in mismatch(trained_for(tmp_path / "unknown", lab, told=False), NOMINAL)
