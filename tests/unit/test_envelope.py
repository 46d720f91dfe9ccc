"""The safety envelope's YAML: every slip is named with its place, and every number counts."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from gmps_robot.config import content_id, save
from gmps_robot.errors import ConfigError
from gmps_robot.families import family
from gmps_robot.families.envelope import RANGES, SOURCES, load_envelope
from gmps_robot.types import SafetyEnvelope

PUSH = family("push")
HOME = {"home": PUSH.start_tip}
SHIPPED = Path("gmps_robot/families/push.yaml")


def edited(tmp_path: Path, old: str, new: str) -> Path:
    text = (Path(__file__).parents[2] / SHIPPED).read_text()
    assert old in text
    path = tmp_path / "rig.yaml"
    path.write_text(text.replace(old, new, 1))
    return path


def test_the_shipped_file_says_every_number_and_survives_a_round_trip(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / SHIPPED).read_text()
    assert [field.name for field in fields(SafetyEnvelope) if f"{field.name}:" not in text] == []
    save(PUSH.envelope, tmp_path / "copy.yaml")
    assert load_envelope(tmp_path / "copy.yaml", HOME) == PUSH.envelope
    assert content_id(load_envelope(tmp_path / "copy.yaml", HOME)) == content_id(PUSH.envelope)


def test_every_number_is_checked() -> None:
    boxes = {"box_low", "box_high", "link_box_low", "link_box_high", *SOURCES}
    assert {field.name for field in fields(SafetyEnvelope)} == set(RANGES) | boxes


def test_another_number_is_another_envelope(tmp_path: Path) -> None:
    other = load_envelope(edited(tmp_path, "force_stop: 30.0", "force_stop: 19.0"), HOME)
    assert content_id(other) != content_id(PUSH.envelope)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("speed_hard: 0.25", "sped_hard: 0.25", r"rig.yaml: unknown key 'sped_hard'.*did you mean 'speed_hard'"),
        ("box_low: [0.34, -0.24, 0.015]", "box_low: [0.45, -0.24, 0]", r"policy.box leaves the hard box: x = 0.36"),
        ("  box_low: [0.36, -0.22, 0.02]", "  box_low: [0.45, -0.22, 0.02]", r"policy.box leaves out the home pose"),
        ("  speed: 0.20", "  speed: 200", r"policy.speed = 200 m/s: expected above 0 and at most speed_hard"),
        ("speed_hard: 0.25", "speed_hard: 0.5", r"speed_hard = 0.5 m/s: expected 0.01 to 0.25"),
        ("joint_margin: 0.03", "joint_margin: 1.7", r"joint_margin = 1.7 rad: expected 0.02 to 0.5"),
        ("force_stop: 30.0", "force_stop: .nan", r"force_stop = nan N: expected 1 to 100"),
        ("force_stop: 30.0", "force_stop: 70.0", r"force_stop = 70, force_hard = 60: the first must not be above"),
        ("table_height: 0.0", "table_height: low", r"table_height = 'low': expected a number"),
        ("joint_torque_share: [0.36", "joint_torque_share: [36", r"joint_torque_share = 36 of the joint's maximum: ex"),
        ("joint_torque_share: [0.36,", "joint_torque_share: [", r"joint_torque_share = .*: expected 7 values"),
        ("box_high: [0.86, 0.24, 0.30]", "box_high: [0.86, -0.3, 0.30]", r"box y = -0.24 to -0.3 m: expected low"),
        ("  speed: 0.20", "  pace: 0.20", r"policy: unknown key 'pace'"),
        ("box_low: [0.34, -0.24, 0.015]", "box_low: [0.34, -0.24]", r"expected 3 values"),
    ],
)  # fmt: skip
def test_a_slip_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_envelope(edited(tmp_path, old, new), HOME)


def test_a_missing_file_and_one_that_is_not_yaml_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_envelope(tmp_path / "none.yaml", HOME)
    (tmp_path / "bad.yaml").write_text("box_low: [0.1")
    with pytest.raises(ConfigError, match="is not YAML"):
        load_envelope(tmp_path / "bad.yaml", HOME)
