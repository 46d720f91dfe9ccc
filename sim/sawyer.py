"""The Sawyer with its gripper as a MuJoCo specification: a table of numbers and primitive shapes, no mesh files."""

from __future__ import annotations

import mujoco as mj

from gmps_robot.control.sawyer_model import Gripper, Link, SawyerModel, Servo, sawyer_model
from gmps_robot.types import FloatArray

# Collision bits. Only what can meet on a table is tested: pads, hand and the last links against table and object.
PAD, ARM, OBJECT_ON_HAND = 1, 2, 4
TIP_SITE = "tip"
FINGER_STIFFNESS = 600.0  # [N/m]
FINGER_DAMPING = 20.0  # [N s/m]
_FIRST_COLLIDING_LINK = 4
_DARK, _RED = (0.25, 0.25, 0.25, 1.0), (0.5, 0.1, 0.1, 1.0)


def add_sawyer(spec: mj.MjSpec) -> None:
    """Add arm, hand, fingers and their position servos to `spec`; actuators are the joints, then left, right finger."""
    model = sawyer_model()
    parent = spec.worldbody.add_body(name="base")
    pedestal = parent.add_geom(type=mj.mjtGeom.mjGEOM_CYLINDER, size=(0.08, 0.04, 0), pos=(0, 0, 0.04), rgba=_RED)
    _no_contact(pedestal)
    for index, link in enumerate(model.links):
        parent = _add_link(parent, index, link, model.servo)
        _add_servo(spec, link.joint, link.stiffness, link.stiffness * model.servo.damping_ratio, link.torque)
    hand = _add_hand(parent, model)
    for side, name in ((1, "left"), (-1, "right")):
        _add_finger(hand, name, side, model.gripper)
        _add_servo(spec, f"{name}_finger", FINGER_STIFFNESS, FINGER_DAMPING, model.gripper.force)


def finger_position(gripper: FloatArray) -> FloatArray:
    """Return the slides (n,) of each finger [m] for gripper commands (n,) from -1 (closed) to 1 (open)."""
    closed, opened = sawyer_model().gripper.finger_range
    return closed + (opened - closed) * 0.5 * (gripper + 1.0)


def pad_opening(fingers: FloatArray) -> float:
    """Return the opening between the pads [m] for the slides (2,) of the fingers [m]."""
    return 2.0 * sawyer_model().gripper.finger_offset + float(fingers.sum())


def _add_link(parent: mj.MjsBody, index: int, link: Link, servo: Servo) -> mj.MjsBody:
    body = parent.add_body(
        name=link.name, pos=link.position, quat=link.quaternion, mass=link.mass, ipos=link.com, inertia=link.inertia,
        gravcomp=1.0,  # Sawyer's controller compensates gravity
    )
    body.explicitinertial = True
    body.add_joint(
        name=link.joint, axis=(0, 0, 1), range=link.joint_range, limited=True, damping=servo.damping,
        armature=servo.armature, frictionloss=servo.friction_loss[index],
    )
    for capsule in link.capsules:
        geom = body.add_geom(
            type=mj.mjtGeom.mjGEOM_CAPSULE, fromto=(*capsule.start, *capsule.end), size=(capsule.radius, 0, 0),
            rgba=_RED if index % 2 else _DARK,
        )
        _no_contact(geom)
        geom.contype = ARM if index >= _FIRST_COLLIDING_LINK else 0
    return body


def _add_hand(parent: mj.MjsBody, model: SawyerModel) -> mj.MjsBody:
    hand = parent.add_body(
        name="hand", pos=model.hand_position, quat=model.hand_quaternion, mass=0.3, inertia=(3e-4, 3e-4, 3e-4),
        gravcomp=1.0,
    )
    hand.explicitinertial = True
    hand.add_geom(
        name="hand", type=mj.mjtGeom.mjGEOM_BOX, size=model.hand_half_size, pos=(0, 0, model.hand_half_size[2]),
        contype=ARM, conaffinity=OBJECT_ON_HAND, rgba=(0.1, 0.1, 0.1, 1),
    )
    hand.add_site(name=TIP_SITE, pos=model.gripper.tip, size=(0.005, 0.005, 0.005))
    return hand


def _add_finger(hand: mj.MjsBody, name: str, side: int, gripper: Gripper) -> None:
    finger = hand.add_body(
        name=f"{name}_finger", pos=(0, side * gripper.finger_offset, gripper.tip[2]), mass=0.05,
        inertia=(1e-4, 1e-4, 1e-4), gravcomp=1.0,
    )
    finger.explicitinertial = True
    finger.add_joint(
        name=f"{name}_finger", type=mj.mjtJoint.mjJNT_SLIDE, axis=(0, side, 0), range=gripper.finger_range,
        limited=True, damping=20.0, armature=0.3,
    )
    finger.add_geom(
        name=f"{name}_pad", type=mj.mjtGeom.mjGEOM_BOX, size=gripper.pad_half_size,
        pos=(gripper.pad_center[0], side * gripper.pad_center[1], gripper.pad_center[2]),
        contype=PAD, conaffinity=ARM, friction=(1.5, 0.1, 0.002), condim=4, rgba=(0.05, 0.05, 0.05, 1),
    )


def _add_servo(spec: mj.MjSpec, joint: str, stiffness: float, damping: float, force: float) -> None:
    servo = spec.add_actuator(name=joint, target=joint, trntype=mj.mjtTrn.mjTRN_JOINT)
    servo.set_to_position(kp=stiffness, kv=damping)
    servo.forcerange, servo.forcelimited = (-force, force), True


def _no_contact(geom: mj.MjsGeom) -> None:
    geom.contype, geom.conaffinity = 0, 0
