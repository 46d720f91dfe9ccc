"""Our messages are ROS 1's: the same md5, the same bytes."""

from __future__ import annotations

import json
import subprocess
from importlib import resources
from pathlib import Path

import pytest

from gmps_robot.sawyer import messages
from tests.ros1.ros1_world import SYSTEM_PYTHON, Ros1, clean, needs_rospy

GENMSG = Path(__file__).with_name("md5_by_genmsg.py")
STANDARD = """
import importlib, json, sys
sums = {}
for kind in sys.argv[1:]:
    package, name = kind.split("/")
    sums[kind] = getattr(importlib.import_module(package + ".msg"), name)._md5sum
print(json.dumps(sums))
"""


def by_ros1(*arguments: str) -> dict[str, str]:
    done = subprocess.run([SYSTEM_PYTHON, *arguments], env=clean(), capture_output=True, text=True, check=True)
    sums: dict[str, str] = json.loads(done.stdout)
    return sums


@needs_rospy
def test_the_md5_of_every_intera_type_is_the_one_of_genmsg() -> None:
    folder = str(resources.files("gmps_robot.sawyer").joinpath("definitions"))
    theirs = by_ros1(str(GENMSG), folder, messages.INTERA)
    services = messages.services()
    ours = {name: (messages.service(name) if name in services else messages.codec(name)).md5 for name in theirs}
    assert ours == theirs
    assert set(theirs) == set(messages.definitions())
    assert (len(theirs) - len(services), len(services)) == (35, 3)


@needs_rospy
def test_the_md5_of_every_standard_type_is_the_one_of_its_package() -> None:
    packages = ("std_msgs", "geometry_msgs", "sensor_msgs")
    kinds = [name.replace("/msg/", "/") for name in messages.typestore().fielddefs if name.startswith(packages)]
    assert len(kinds) > 80
    assert {kind: messages.codec(kind).md5 for kind in kinds} == by_ros1("-c", STANDARD, *kinds)


def test_the_md5_of_a_live_robot() -> None:
    """What the robot's own software announces on the wire."""
    assert messages.codec("intera_core_msgs/JointCommand").md5 == "c8c85922d297da6209a089a906207e5d"
    assert messages.codec("intera_core_msgs/EndpointState").md5 == "ec04f0f9bc02b3e335181c07d68c2c98"


def test_bytes_are_those_of_genpy(world: Ros1) -> None:
    peer = world.peer()
    command = {"mode": 2, "names": ["right_j0", "right_j1"], "velocity": [0.25, -1.5]}
    status = {"device": {"name": "right_gripper"}, "commands": [{"secs": 3, "nsecs": 7}], "responses": ["a", ""]}
    ours = messages.make("intera_core_msgs/JointCommand", **command)
    assert messages.codec("intera_core_msgs/JointCommand").encode(ours).hex() == peer.encode(
        "intera_core_msgs/JointCommand", command
    )
    written = messages.make(
        "intera_core_msgs/IODeviceStatus", responses=["a", ""], commands=[messages.stamp(3_000_000_007)]
    )
    written.device.name = "right_gripper"
    codec = messages.codec("intera_core_msgs/IODeviceStatus")
    theirs = bytes.fromhex(peer.encode("intera_core_msgs/IODeviceStatus", status))
    assert codec.encode(written) == theirs
    assert messages.nanoseconds(codec.decode(theirs).commands[0]) == 3_000_000_007


def test_no_definition_is_missing_from_the_package() -> None:
    with pytest.raises(Exception, match="not known"):
        messages.codec("intera_core_msgs/Nothing")
