"""The rig's calibration: strict loading, intrinsics that follow crop and resize, and a content id."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from gmps_robot import config
from gmps_robot.errors import ConfigError
from gmps_robot.rig import SHIPPED, Pinhole, RigCalibration, load_rig, save_rig

NOMINAL = yaml.safe_load((SHIPPED / "nominal.yaml").read_text())


def written(folder: Path, **changes: object) -> Path:
    """A calibration file that differs from the nominal one; `camera__fx` is the key fx inside camera."""
    raw = yaml.safe_load(yaml.safe_dump(NOMINAL))
    for name, value in changes.items():
        keys = name.split("__")
        section = raw if len(keys) == 1 else raw.setdefault(keys[0], {})
        section[keys[-1]] = value
    path = folder / "rig.yaml"
    path.write_text(yaml.safe_dump(raw))
    return path


def test_a_rig_written_and_read_is_the_same(tmp_path: Path) -> None:
    rig = load_rig("nominal")
    config.save(rig, tmp_path / "rig.yaml")
    assert load_rig(tmp_path / "rig.yaml") == rig


def test_the_id_names_the_nominal_rig_and_changes_with_any_value(tmp_path: Path) -> None:
    rig = load_rig("nominal")
    assert rig.rig_id == "nominal"
    moved = replace(rig, table_height=0.001)
    lens = replace(rig, camera=replace(rig.camera, fx=rig.camera.fx + 1e-6))
    assert len({rig.rig_id, moved.rig_id, lens.rig_id}) == 3
    config.save(moved, tmp_path / "moved.yaml")
    assert load_rig(tmp_path / "moved.yaml").rig_id == moved.rig_id


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"camera_to_bas": {}}, "did you mean 'camera_to_base'"),
        ({"camera__focal": 500.0}, "unknown key 'focal'"),
        ({"camera__fx": "wide"}, "expected a number"),
        ({"camera__fx": float("nan")}, "nan is not a finite number"),
        ({"camera__fx": -500.0}, "must be positive"),
        ({"camera__crop": [600, 0, 100, 100]}, r"crop = \[600, 0, 100, 100\] .* leaves the image of 640x480"),
        ({"camera__crop": [0, 0, 100]}, "expected 4 values"),
        ({"camera_to_base__quaternion": [0.0, 0.0, 0.0, 0.9]}, "not of length 1"),
        ({"camera_to_base__position": [0.0, 0.0, float("inf")]}, "inf is not a finite number"),
        ({"table_height": float("nan")}, "table_height"),
        ({"latency": {"image": -0.01}}, "latency: image = -0.01 s; valid: 0 to 1"),
        ({"latency": {"image": float("nan")}}, "latency: image = nan s"),
        ({"servo": {"stiffness": [1.0] * 6}}, "expected 7 values"),
        ({"servo": {"friction": [1.0] * 6 + [0.0]}}, r"servo: friction = .*: 0.0 is no positive number"),
        ({"origin": {"covariance": [1.0]}}, "covariance has 1 values"),
    ],
)
def test_a_bad_file_is_refused_with_its_name_and_the_reason(
    tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        load_rig(written(tmp_path, **changes))
    assert "rig.yaml" in str(refused.value)


def test_a_calibration_that_was_edited_by_hand_is_noticed(tmp_path: Path) -> None:
    path, measured = tmp_path / "rig.yaml", replace(load_rig("nominal"), table_height=0.002)
    save_rig(measured, path)
    assert load_rig(path) == measured
    path.write_text(path.read_text().replace("table_height: 0.002", "table_height: 0.02"))
    with pytest.raises(ConfigError, match=rf"rig.yaml: .* the file says {measured.rig_id}: it was edited by hand"):
        load_rig(path)


def test_an_unknown_rig_names_the_shipped_ones() -> None:
    with pytest.raises(ConfigError, match=r"no rig calibration at 'nominall'; did you mean 'nominal'"):
        load_rig("nominall")


def test_a_point_stays_on_its_pixel_through_crop_and_resize() -> None:
    camera = Pinhole(640, 480, 540.0, 530.0, 310.0, 250.0)
    point = np.array([0.05, -0.02, 0.9])
    u, v, w = camera.matrix @ point
    small = camera.cropped(40, 30, 560, 420).resized(80, 60)
    x, y, z = small.matrix @ point
    # A pixel centre c of the crop lies at (c + 0.5) / 7 - 0.5 of the image that is seven times smaller.
    assert (x / z, y / z) == pytest.approx(((u / w - 40 + 0.5) / 7 - 0.5, (v / w - 30 + 0.5) / 7 - 0.5))


def test_the_rotation_is_that_of_the_quaternion() -> None:
    rig: RigCalibration = load_rig("nominal")
    turned = replace(rig.camera_to_base, quaternion=(0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5)))
    np.testing.assert_allclose(turned.rotation @ [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], atol=1e-12)
