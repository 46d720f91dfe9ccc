"""A push on the forearm, which the tip does not feel: driver and emulated robot in one process, in virtual time."""

from __future__ import annotations

import numpy as np
import pytest

from gmps_robot.control.guard_force import MOST_TORQUE
from gmps_robot.sawyer.driver import SawyerArm
from gmps_robot.types import ArmCommand
from tests.sim.emulated_wire import EmulatedLink, driven_robot

Rig = tuple[SawyerArm, EmulatedLink]
TORQUES = "/robot/limb/right/gravity_compensation_torques"
FILTERS = 0.02 + 0.05  # the joints' springs, and the guard's [s]


def live(rig: Rig, seconds: float, velocity: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> float:
    """Let a policy ask for `velocity` [m/s]; return how near residual torque came to its limit."""
    arm, link = rig
    shares, seq = [0.0], round(1e3 * link.now)
    limit = MOST_TORQUE * arm.limits.joint_torque_share
    for k in range(round(seconds / arm.period)):
        request = ArmCommand(round(link.now * 1e9), seq + k, "policy", np.array(velocity), -0.5)
        arm.apply(request, link.now)
        torque = arm.guard_state.torque
        shares.append(float((np.abs(torque.filtered - torque.bias) / limit).max()) if torque.watched else 0.0)
        link.sleep(arm.period)
    return max(shares)


@pytest.mark.parametrize("force", [(0.0, 200.0, 0.0), (180.0, 0.0, 0.0), (0.0, 0.0, -250.0)])
def test_an_elbow_that_is_pressed_stops_the_arm(force: tuple[float, float, float]) -> None:
    arm, link = rig = driven_robot(noise=1.0, seed=1)
    live(rig, 0.5)
    link.robot.body.push(np.array(force), link.now + 1.0, "right_l3")
    since = link.now
    while arm.guard_state.mode != "FAULT" and link.now < since + 1.0:
        live(rig, arm.period)
    assert link.now - since < FILTERS + 2 * arm.period
    assert arm.guard_state.fault == "force"
    assert arm.guard_state.fault_reason.startswith("torque: ")
    assert arm.guard_state.force.level < 10.0
    live(rig, 2.0)
    assert arm.guard_state.at_rest
    assert np.abs(link.robot.body.data.qvel[:7]).max() < 0.01


def test_motion_at_full_speed_is_no_contact() -> None:
    rig = driven_robot(noise=1.0, seed=1)
    sweep = max(live(rig, 0.5, (0.0, side * 0.2, 0.0)) for side in (1.0, -1.0, -1.0, 1.0))
    assert sweep < 0.3
    assert rig[0].guard_state.mode == "MOVING"


def test_torques_that_are_told_no_more_are_no_stop_and_a_push_is_not_seen() -> None:
    arm, link = rig = driven_robot(noise=1.0)
    live(rig, 0.1)
    link.inject("topic", topic=TORQUES, action="drop")
    assert live(rig, 0.4) > 0.0
    assert arm.guard_state.torque.watched
    live(rig, 0.3)
    assert not arm.guard_state.torque.watched
    assert arm.observe().residual_torque.shape == (0,)
    link.robot.body.push(np.array([0.0, 150.0, 0.0]), link.now + 0.3, "right_l3")
    live(rig, 0.3)
    assert arm.guard_state.mode == "MOVING"
