"""Every variation changes what it says it changes, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from gmps_robot.errors import ConfigError
from gmps_robot.families import family
from sim.randomize import VALUE_SIZES, Variation, around_nominal, sample_variations
from sim.render.camera import POLICY_CAMERA
from sim.vector import VecSim

FAMILY = family("push")
SHOVE = np.concatenate([np.tile([1.0, 0.0, 0.0, -0.5], (14, 1)), np.tile([-1.0, 0.0, 0.0, -0.5], (6, 1))])


def shoved(variation: Variation | None, n: int = 1) -> VecSim:
    """Push the block 10 cm, then back off at once, so that it slides to rest."""
    simulator = VecSim(FAMILY, n, camera=POLICY_CAMERA, variation=variation)
    for action in SHOVE:
        simulator.step(np.tile(action, (n, 1)))
    return simulator


def test_nominal_values_change_nothing() -> None:
    plain, same = shoved(None), shoved(Variation(friction_scale=np.ones(1), mass_scale=1.0))
    assert plain.scene().object_pose.tobytes() == same.scene().object_pose.tobytes()
    assert plain.images().tobytes() == same.images().tobytes()


def test_friction_and_mass_change_how_the_block_moves_in_their_own_world_only() -> None:
    nominal = shoved(None).scene().object_pose[0]
    varied = shoved(Variation(friction_scale=np.array([1.0, 0.1, 1.0]), mass_scale=np.array([1.0, 1.0, 8.0])), n=3)
    block = varied.scene().object_pose
    np.testing.assert_array_equal(block[0], nominal)
    assert block[1, 0] - nominal[0] > 0.005, "a slippery block slides on"
    assert np.abs(block[2] - nominal).max() > 1e-4, "a heavy block moves differently"


def test_action_gain_moves_the_arm_further_and_is_told_in_applied() -> None:
    simulator = VecSim(FAMILY, 2, variation=Variation(action_gain=np.array([1.0, 0.5])))
    for _ in range(5):
        simulator.step(np.tile([0.5, 0.0, 0.0, -0.5], (2, 1)))
    np.testing.assert_allclose(simulator.applied[:, 0], [0.5, 0.25])
    moved = simulator.tip_target[:, 0] - FAMILY.start_tip[0]
    assert moved[1] == pytest.approx(moved[0] / 2, abs=1e-4)


def test_tip_offset_is_in_the_report_and_not_in_the_world() -> None:
    offset = np.array([0.01, -0.02, 0.005])
    plain, shifted = shoved(None), shoved(Variation(tip_offset=tuple(offset)))
    np.testing.assert_allclose(shifted.scene().tip - plain.scene().tip, [offset], atol=1e-12)
    np.testing.assert_array_equal(shifted.scene().object_pose, plain.scene().object_pose)
    assert shifted.images().tobytes() == plain.images().tobytes()


def test_a_moved_camera_moves_the_image_and_not_the_world() -> None:
    plain = shoved(None)
    moved = shoved(Variation(camera_translation=np.array([[0.0, 0.05, 0.0], [0.0, 0.0, 0.0]])), n=2)
    np.testing.assert_array_equal(moved.scene().object_pose[0], plain.scene().object_pose[0])
    images = moved.images()
    assert images[1].tobytes() == plain.images()[0].tobytes()

    def red_column(image: np.ndarray) -> float:
        mask = image[..., 0].astype(int) > 2 * image[..., 1].astype(int) + 60
        return float(np.nonzero(mask)[1].mean())

    # The camera looks towards the robot: its right is the base frame's left, so the block wanders to the left.
    assert red_column(images[0]) < red_column(images[1]) - 1.0


def test_a_turned_camera_turns_the_image() -> None:
    tilted = VecSim(FAMILY, 1, camera=POLICY_CAMERA, variation=Variation(camera_rotation=(0.0, 0.0, np.pi)))
    upright = VecSim(FAMILY, 1, camera=POLICY_CAMERA)
    assert (tilted.images()[0][::-1, ::-1] == upright.images()[0]).mean() > 0.99


def test_block_jitter_depends_on_the_seed_of_the_world_alone() -> None:
    simulator = VecSim(FAMILY, 3, variation=Variation(block_jitter=0.01))
    places = simulator.reset([7, 8, 7]).object_pose[:, :2]
    assert (places[0] == places[2]).all()
    assert (places[0] != places[1]).all()
    assert np.abs(places - FAMILY.start_object[:2]).max() <= 0.01
    assert (simulator.reset([0, 7, 0]).object_pose[1, :2] == places[0]).all()


def test_samples_lie_in_their_ranges_and_the_rest_stays_nominal() -> None:
    ranges = {"friction_scale": (0.5, 2.0), "camera_translation": ((-0.02, 0.0, 0.0), (0.02, 0.0, 0.01))}
    drawn = sample_variations(np.random.default_rng(0), 50, ranges)
    assert drawn.friction_scale.shape == (50,)
    assert 0.5 <= drawn.friction_scale.min() < 0.7
    assert 1.8 < drawn.friction_scale.max() <= 2.0
    assert drawn.camera_translation.shape == (50, 3)
    assert (drawn.camera_translation[:, 1] == 0.0).all()
    assert drawn.mass_scale == Variation().mass_scale
    assert set(VALUE_SIZES) == set(Variation.__dataclass_fields__)


def test_draws_around_the_nominal_rig_stay_within_their_half_widths() -> None:
    drawn = around_nominal(np.random.default_rng(0), 50, {"friction_scale": (0.5,), "tip_offset": (0.0, 0.02, 0.0)})
    assert isinstance(drawn.friction_scale, np.ndarray)
    assert isinstance(drawn.tip_offset, np.ndarray)
    assert 0.5 <= drawn.friction_scale.min() < 0.6
    assert 1.4 < drawn.friction_scale.max() <= 1.5
    assert np.abs(drawn.tip_offset).max(0).tolist() == [0.0, pytest.approx(0.02, abs=0.002), 0.0]
    assert around_nominal(np.random.default_rng(0), 50, {}) == Variation()
    with pytest.raises(ConfigError, match="tip_offset takes 3 half-widths"):
        around_nominal(np.random.default_rng(0), 2, {"tip_offset": (0.02,)})
    with pytest.raises(ConfigError, match="did you mean 'friction_scale'"):
        around_nominal(np.random.default_rng(0), 2, {"friction_scales": (0.02,)})


@pytest.mark.parametrize(
    ("variation", "message"),
    [
        (Variation(friction_scale=np.ones(3)), r"friction_scale has shape \(3,\); 2 worlds take \(\) or \(2,\)"),
        (Variation(tip_offset=0.01), r"tip_offset has shape \(\); 2 worlds take \(3,\) or \(2, 3\)"),
        (Variation(mass_scale=0.0), "mass_scale = 0.0 must be finite, and scales and gains above zero"),
        (Variation(block_jitter=float("nan")), "block_jitter = nan"),
    ],
)
def test_a_variation_that_does_not_fit_is_named(variation: Variation, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        VecSim(FAMILY, 2, variation=variation)


def test_unknown_or_empty_ranges_are_named() -> None:
    with pytest.raises(ConfigError, match="did you mean 'friction_scale'"):
        sample_variations(np.random.default_rng(0), 2, {"friction": (0.5, 2.0)})
    with pytest.raises(ConfigError, match=r"mass_scale: low 2.0 is above high 1.0"):
        sample_variations(np.random.default_rng(0), 2, {"mass_scale": (2.0, 1.0)})
