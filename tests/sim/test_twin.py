"""The twin: the same world as the batch simulator, one arm behind the guard."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from gmps_robot.control.arm import ArmDriver
from gmps_robot.errors import TaskError
from gmps_robot.families import family
from gmps_robot.types import ArmCommand, SourceLimits
from sim.randomize import Variation
from sim.render.camera import POLICY_CAMERA
from sim.twin import Twin
from sim.vector import VecSim

FAMILY = family("push")
TASK = FAMILY.sample("test", 1, seed=0)[0]


def request(seq: int, now: float, velocity: object, source: str = "policy", gripper: float = -0.5) -> ArmCommand:
    return ArmCommand(round(now * 1e9), seq, source, velocity, gripper)  # type: ignore[arg-type]


def drive(twin: Twin, velocity: tuple[float, float, float], steps: int, start: int = 0) -> float:
    """Command `velocity` for `steps` periods; return the time of the next one."""
    for k in range(start, start + steps):
        twin.apply(request(k, k * twin.period, np.array(velocity)), k * twin.period)
    return (start + steps) * twin.period


@pytest.mark.parametrize(
    "variation", [None, Variation(action_gain=1.2, friction_scale=0.6, mass_scale=2.0, tip_offset=(0.005, 0, 0))]
)
def test_one_action_sequence_moves_the_block_as_in_the_batch_simulator(variation: Variation | None) -> None:
    rng = np.random.default_rng(0)
    speed = FAMILY.envelope.policy.speed
    twin, batch = Twin(FAMILY, variation=variation), VecSim(FAMILY, 2, camera=POLICY_CAMERA, variation=variation)
    for k in range(FAMILY.horizon):
        action = FAMILY.arm_action(np.array([0.9, 0.2, 0.0]) + rng.normal(size=3) * 0.5)
        applied = twin.apply(request(k, k * 0.05, action[:3] * speed, gripper=action[3]), k * 0.05)
        scene = batch.step(np.stack([np.zeros(4), action]))
        np.testing.assert_array_equal(twin.scene().object_pose, scene.object_pose[1])
        np.testing.assert_array_equal(twin.scene().tip, scene.tip[1])
        np.testing.assert_allclose(applied.velocity / speed, batch.applied[1, :3], atol=1e-12)
    assert twin.image().tobytes() == batch.images()[1].tobytes()
    assert scene.object_pose[1, 0] > FAMILY.start_object[0] + 0.05, "the block was not pushed"


def test_it_is_an_arm_driver_with_readable_limits() -> None:
    twin: ArmDriver = Twin(FAMILY)
    assert twin.limits == FAMILY.envelope
    state = twin.observe()
    np.testing.assert_allclose(state.tip_position, FAMILY.start_tip, atol=1e-3)
    assert state.joints.shape == state.joint_velocities.shape == (7,)
    assert np.linalg.norm(state.tip_quaternion) == pytest.approx(1.0)
    np.testing.assert_allclose(state.wrench, 0.0, atol=1e-9)
    assert 0.0 < state.gripper < 0.05, "half open"


def test_measured_velocity_is_the_change_of_the_measured_position() -> None:
    twin = Twin(FAMILY)
    drive(twin, (0.0, 0.1, 0.0), 10)
    before = twin.observe()
    drive(twin, (0.0, 0.1, 0.0), 1, start=10)
    after = twin.observe()
    moved = (after.tip_position - before.tip_position) / twin.period
    np.testing.assert_allclose(after.tip_velocity, moved, atol=0.01)
    assert after.stamp_ns - before.stamp_ns == pytest.approx(50e6, abs=1)


def test_the_gripper_feels_the_block_and_the_table() -> None:
    twin = Twin(FAMILY)
    drive(twin, (0.2, 0.0, 0.0), 14)
    assert twin.observe().wrench[0] < -0.3, "the pushed block pushes back"
    # A rig whose table stands 30 mm above the model's is pressed on; this envelope does not know.
    low = SourceLimits(0.2, (0.34, -0.24, -0.03), (0.86, 0.24, 0.30))
    envelope = replace(FAMILY.envelope, policy=low, box_low=low.box_low, table_height=-0.03)
    pressing = Twin(replace(FAMILY, envelope=envelope))
    felt = []
    for k in range(60):
        drive(pressing, (0.0, 0.0, -0.1), 1, start=k)
        felt.append(pressing.observe().wrench[2])
    assert max(felt) > pressing.limits.force_stop
    assert max(felt) < 100.0, "stopped before it pressed on"
    assert pressing.guard_state.fault == "force"
    assert felt[-1] == 0.0, "backed off"


def test_silence_ends_in_rest_and_a_stop_latches() -> None:
    twin = Twin(FAMILY)
    now = drive(twin, (0.0, 0.2, 0.0), 8)
    for k in range(10):
        twin.apply(None, now + k * twin.period)
    np.testing.assert_allclose(twin.observe().tip_velocity, 0.0, atol=0.005)
    twin.stop("a test")
    held = twin.guard_state.tip_target
    drive(twin, (0.0, 0.2, 0.0), 5, start=18)
    np.testing.assert_array_equal(twin.guard_state.tip_target, held)
    twin.reset_scene(TASK, seed=0)
    assert twin.guard_state.mode == "FAULT"
    assert "a test" in twin.guard_state.fault_reason
    twin.reset_fault()
    drive(twin, (0.0, 0.2, 0.0), 5, start=23)
    assert twin.scene().tip[1] > 0.02


@pytest.mark.parametrize("velocity", [(np.nan, 0.0, 0.0), (0.1, 0.0), None, "left"])
@pytest.mark.parametrize("gain", [1.0, 1.3])
def test_a_bad_command_holds_the_arm_and_is_named(velocity: object, gain: float) -> None:
    twin = Twin(FAMILY, variation=Variation(action_gain=gain))
    applied = twin.apply(request(0, 0.0, velocity if velocity is None else np.array(velocity)), 0.0)
    assert (applied.velocity == 0.0).all()
    assert any("command: velocity" in reason for reason in applied.reasons)


def test_home_goes_over_the_block_and_takes_real_time_when_told_to() -> None:
    times = [0.0]
    twin = Twin(FAMILY, clock=lambda: times[-1], sleep=lambda seconds: times.append(times[-1] + seconds))
    for k in range(40):
        twin.apply(request(k, times[-1], np.array([0.2, 0.05, 0.0])), times[-1])
        times.append(times[-1] + twin.period)
    block = twin.scene().object_pose
    started = times[-1]
    twin.home()
    np.testing.assert_allclose(twin.scene().object_pose[:3], block[:3], atol=5e-3)
    np.testing.assert_allclose(twin.observe().tip_position, FAMILY.start_tip, atol=3e-3)
    assert times[-1] - started > 2.0, "0.15 m/s over half a metre"


def test_reset_brings_back_the_same_start_to_the_last_bit() -> None:
    twin = Twin(FAMILY, variation=Variation(block_jitter=0.01))
    twin.reset_scene(TASK, seed=4)
    first, image = twin.scene(), twin.image()
    drive(twin, (0.2, 0.0, 0.0), 20)
    assert twin.scene().time == pytest.approx(1.0)
    twin.reset_scene(TASK, seed=4)
    assert twin.scene().object_pose.tobytes() == first.object_pose.tobytes()
    assert twin.image().tobytes() == image.tobytes()
    assert twin.scene().time == 0.0
    twin.reset_scene(TASK, seed=5)
    assert twin.scene().object_pose.tobytes() != first.object_pose.tobytes()


def test_a_task_of_another_family_is_refused() -> None:
    with pytest.raises(TaskError, match="of family 'door', this twin of 'push'"):
        Twin(FAMILY).reset_scene(replace(TASK, family="door"), seed=0)


def test_closing_gives_back_the_context_and_a_script_ends_without_noise() -> None:
    code = """
from gmps_robot.families import family
from sim.twin import Twin
twin, left_open = Twin(family("push"), video="gl"), Twin(family("push"), video="gl")
first = twin.video_frame(48, 64)
left_open.video_frame(48, 64)
twin.close()
twin.close()
assert (twin.video_frame(48, 64) == first).all()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0
    assert done.stderr == ""


def test_video_frames_have_the_size_asked_for_and_the_renderers_are_named() -> None:
    twin = Twin(FAMILY, video="rays")
    assert twin.video_frame(120, 160).shape == (120, 160, 3)
    assert twin.renderers == {"policy images": "rays (numba)", "video": "rays (numba)"}
