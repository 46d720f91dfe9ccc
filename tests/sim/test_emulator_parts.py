"""The emulated robot without its wire, in virtual time: rules, controller, gripper, senses, frames."""

from __future__ import annotations

import json
from typing import Any

import mujoco as mj
import numpy as np
import pytest

from gmps_robot.control.kinematics import forward
from gmps_robot.control.sawyer_model import sawyer_model
from gmps_robot.families.push import PushFamily
from sim.emulator import assembly, wire
from sim.emulator.assembly import Assembly, Button, Source
from sim.emulator.gripper import STROKE, ElectricGripper
from sim.emulator.kinematics_service import FAILED, NO_ENDPOINT, OK, answer
from sim.emulator.limb import POSITION, VELOCITY, Limb
from sim.emulator.noise import Noise
from sim.emulator.outbox import Outbox
from sim.emulator.robot import Robot

STEP = 0.005  # [s]
NAMES = tuple(link.joint for link in sawyer_model().links)


def robot(noise: float = 0.0) -> Robot:
    return Robot(PushFamily(), 0, noise, 0.0)


def live(made: Robot, since: float, seconds: float) -> float:
    for k in range(1, round(seconds / STEP) + 1):
        made.step(since + k * STEP)
    return since + round(seconds / STEP) * STEP


def enabled(made: Robot) -> float:
    made.handle({"op": "set_super_enable", "value": True}, 0.0)
    now = live(made, 0.0, 0.5)
    assert made.assembly.enabled
    return now


def drive(made: Robot, now: float, seconds: float, velocity: list[float], hertz: float = 100.0) -> float:
    for _ in range(round(seconds * hertz)):
        made.handle({"op": "joint_command", "mode": VELOCITY, "names": NAMES, "position": [], "velocity": velocity,
                     "caller": "/test"}, now)  # fmt: skip
        now = live(made, now, 1.0 / hertz)
    return now


def test_the_robot_obeys_in_the_order_of_its_rules() -> None:
    state = Assembly()
    asked = assembly.request_enable(state, True, 10.0)
    assert not assembly.tick(asked, 10.1).enabled  # brakes and motors take their time
    on = assembly.tick(asked, 10.3)
    assert on.enabled
    stopped = assembly.request_stop(on)
    assert (stopped.enabled, stopped.stopped, stopped.button, stopped.source) == (
        False, True, Button.UNKNOWN, Source.UNKNOWN
    )  # fmt: skip
    assert assembly.tick(assembly.request_enable(stopped, True, 11.0), 20.0) == stopped
    assert assembly.request_reset(stopped) == Assembly()
    pressed = assembly.press(on)
    assert assembly.request_reset(pressed) == pressed
    released = assembly.release(pressed)
    assert (released.stopped, released.button) == (True, Button.RELEASED)
    assert assembly.request_reset(released) == Assembly()
    assert assembly.release(on) == on
    assert assembly.request_reset(assembly.fail(on)).error is False


def test_a_stop_cancels_enabling() -> None:
    asked = assembly.request_enable(Assembly(), True, 0.0)
    assert not assembly.tick(assembly.press(asked), 5.0).enabled


@pytest.mark.parametrize("timeout", [0.05, 0.1, 0.2])
def test_after_the_time_out_the_arm_holds_where_it_is(timeout: float) -> None:
    made = robot()
    now = enabled(made)
    made.limb.set_timeout(timeout)
    now = drive(made, now, 1.0, [0.2, 0, 0, 0, 0, 0, 0])
    last_command, moving = now - 0.01, made.body.joints[0]
    now = live(made, now, 1.0)
    event = [event for event in made.events if event.what == "timeout"][-1]
    assert timeout < event.time - last_command <= timeout + 0.016
    assert made.limb.mode == POSITION
    assert abs(made.body.joints[0] - moving) < 0.2 * (timeout + 0.05)
    assert np.abs(made.body.data.qvel[:7]).max() < 0.005


def test_velocity_mode_moves_what_it_names_and_no_faster_than_the_joint_can() -> None:
    limb = Limb(np.zeros(7))
    assert limb.command(VELOCITY, ["right_j1"], [], [9.0], 0.0) == ""
    limb.step(np.zeros(7), STEP, STEP)
    assert limb.velocity[1] == sawyer_model().links[1].velocity
    assert not limb.velocity[[0, 2, 3, 4, 5, 6]].any()


def test_position_mode_ends_at_its_goal_without_going_past_it() -> None:
    limb, goal = Limb(np.zeros(7)), np.full(7, 0.3)
    path = []
    for k in range(1000):
        limb.command(POSITION, NAMES, goal, [], k * STEP)
        path.append(limb.step(limb.target, k * STEP, STEP).copy())
    assert np.abs(path[-1] - goal).max() < 1e-3
    assert np.max(path) < 0.3 + 1e-6
    speeds = np.abs(np.diff(path, axis=0)).max(axis=0) / STEP
    assert (speeds <= 0.3 * np.array([link.velocity for link in sawyer_model().links]) + 1e-9).all()


def command(made: ElectricGripper, number: int, now: float = 0.0, **signals: Any) -> str:
    wanted = {name: {"format": {"type": "x"}, "data": [value]} for name, value in signals.items()}
    return made.command((1, number), "set", json.dumps({"signals": wanted}), now)


def test_the_gripper_takes_a_command_once_and_within_its_stroke() -> None:
    made = ElectricGripper(0.01)
    assert command(made, 1, position_m=9.0) == ""
    assert made.signals["position_m"] == STROKE
    made.signals["position_m"] = 0.0
    assert command(made, 1, position_m=9.0) == ""  # the same command again
    assert made.signals["position_m"] == 0.0
    assert list(made.acknowledged) == [(1, 1)]
    assert "unknown gripper signals ['pos']" in command(made, 2, pos=1.0)
    assert made.command((1, 3), "set", "not JSON", 0.0) != ""
    assert (1, 3) not in made.acknowledged


def test_the_gripper_stops_where_it_is_and_calibrates_by_moving() -> None:
    made = ElectricGripper(0.0)
    command(made, 1, position_m=STROKE, speed_mps=0.15)
    for k in range(10):
        made.step(made.target, 0.0, k * STEP, STEP)
    command(made, 2, go=False)
    held = made.target
    assert 0.0 < held < STROKE
    made.step(held, 0.0, 1.0, STEP)
    assert made.target == held
    command(made, 3, now=2.0, calibrate=True)
    targets = [made.step(made.target, 0.0, 2.0 + k * STEP, STEP) for k in range(400)]
    assert (min(targets), max(targets)) == (0.0, STROKE)
    assert made.signals["is_calibrated"]


def test_a_link_on_the_table_is_a_collision_and_pads_on_the_block_are_none() -> None:
    made = robot()
    now = enabled(made)
    drive(made, now, 2.0, [0.2, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    assert not made.body.collides()
    made.body.data.qpos[:7] = [-0.47, 0.74, 0.08, -0.86, -0.17, -1.62, 1.51]  # the wrist 9 mm in the table
    made.body.data.qvel[:] = 0.0
    made.limb.hold(made.body.joints)
    made.step(now + 2.0)
    assert made.body.collides()


def test_a_push_shows_in_the_wrench_and_ends() -> None:
    made = robot()
    now = enabled(made)
    made.body.push(np.array([0.0, 30.0, 0.0]), now + 0.5)
    now = live(made, now, 0.4)
    assert made.body.measure(0.01)["wrench"][1] == pytest.approx(30.0, abs=2.0)
    live(made, now, 1.0)
    assert np.abs(made.body.measure(0.01)["wrench"]).max() < 2.0


def residual(made: Robot) -> np.ndarray:
    """What the driver makes of the joint torques (7,) [N m]."""
    said = made.body.measure(0.01)
    return np.asarray(said["effort"] - said["gravity"] - said["hysteresis"])


@pytest.mark.parametrize(("body", "felt"), [("hand", 30.0), ("right_l3", 0.0)])
def test_a_push_is_felt_by_the_joints_wherever_it_is_and_by_the_tip_on_the_hand_alone(body: str, felt: float) -> None:
    made = robot()
    now = enabled(made)
    made.body.push(np.array([0.0, 30.0, 0.0]), now + 0.5, body)
    live(made, now, 0.4)
    model, data, jacobian = made.body.model, made.body.data, np.zeros((3, made.body.model.nv))
    mj.mj_jacBodyCom(model, data, jacobian, None, model.body(body).id)
    opposed = -30.0 * jacobian[1, :7]
    assert np.abs(opposed).max() > 5.0
    np.testing.assert_allclose(residual(made), opposed, atol=0.1)
    assert made.body.measure(0.01)["wrench"][1] == pytest.approx(felt, abs=2.0)
    live(made, now + 0.4, 1.0)
    assert np.abs(residual(made)).max() < 0.1


def test_joints_that_turn_freely_feel_nothing_beyond_what_is_modelled_and_noise_of_a_few_percent() -> None:
    most = np.array([link.torque for link in sawyer_model().links])
    for noise, share in ((0.0, 0.002), (1.0, 0.08)):
        made = robot(noise)
        drive(made, enabled(made), 0.5, [0.2, -0.2, 0.0, 0.0, 0.0, 0.0, 0.4])
        assert np.abs(made.body.measure(0.01)["hysteresis"]).max() > 0.2
        assert (np.abs(residual(made)) < share * most).all()


def test_the_joints_oppose_what_presses_on_the_tip() -> None:
    made = robot()
    now = enabled(made)
    made.body.raise_table(0.03)
    live(made, now, 0.5)
    jacobian = forward(made.body.joints[None]).jacobian[0]
    wrench = made.body.measure(0.01)["wrench"]
    assert np.linalg.norm(wrench[:3]) > 10.0
    np.testing.assert_allclose(residual(made), -jacobian.T @ wrench, atol=0.05 * np.abs(residual(made)).max())


def test_noise_is_seeded_and_has_a_bias() -> None:
    still = np.zeros(3)
    one, same, other = (Noise(seed) for seed in (1, 1, 2))
    values = [np.array([noise.wrench(still, 0.01) for _ in range(500)]) for noise in (one, same, other)]
    np.testing.assert_array_equal(values[0], values[1])
    assert np.abs(values[0].mean(axis=0) - values[2].mean(axis=0)).max() > 0.3
    assert (Noise(1, 0.0).wrench(np.array([0.2, 0.0, 0.0]), 0.01) == 0.0).all()


def test_kinematics_there_and_back() -> None:
    joints = robot().body.joints
    for tip in ("right_hand", "right_gripper_tip"):
        pose = answer({"op": "fk", "id": 1, "joints": joints.tolist(), "tips": [tip]}, joints)["poses"][0]
        pose[2] += 0.05
        request = {"op": "ik", "id": 2, "poses": [pose], "tips": [tip], "seeds": [[]]}
        solved = answer(request, joints)
        assert solved["results"] == [OK]
        again = answer({"op": "fk", "id": 3, "joints": solved["joints"][0], "tips": [tip]}, joints)["poses"][0]
        np.testing.assert_allclose(again[:3], pose[:3], atol=2e-4)
    far = {"op": "ik", "id": 4, "poses": [[9.0, 0, 0, 0, 0, 0, 1]] * 2, "tips": [tip, "elbow"], "seeds": [[], []]}
    assert answer(far, joints)["results"] == [FAILED, NO_ENDPOINT]


def test_frames_survive_any_cutting() -> None:
    made = robot(1.0)
    stream = wire.json_frame({"op": "x"}) + made.report(3, 1.5, 0.1) + wire.frame(wire.BYTES, b"")
    frames, cut = wire.Frames(), []
    for k in range(0, len(stream), 7):
        cut += list(frames.feed(stream[k : k + 7]))
    assert [kind for kind, _ in cut] == [wire.JSON, wire.STATE, wire.BYTES]
    state = wire.read_state(cut[1][1])
    assert (state["stamp"], state["due"], len(state["wrench"])) == (1.5, 3.0, 6)
    with pytest.raises(ValueError, match="does not speak in frames"):
        list(wire.Frames().feed(b"\xff" * 64))


def test_nothing_waits_for_a_robot_without_a_face() -> None:
    outbox = Outbox()
    outbox.send({"op": "x"})
    outbox.send_if_free(b"frame")
    outbox.connect(None)
