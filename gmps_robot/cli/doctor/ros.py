"""ROS 2 and the twin on this machine, each tried in a process of its own."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator

from gmps_robot.cli.doctor import finding
from gmps_robot.cli.doctor.finding import Finding, last_line, version_of

TWIN = "from gmps_robot.families import family; from sim.twin import Twin; twin = Twin(family('push'), {}); "
DOMAINS = range(102)  # above, the ports of a domain meet those that the system hands out


def check_ros() -> Iterator[Finding]:
    """ROS 2 and our messages, in a fresh process, because importing them here would tie the doctor to ROS."""
    wheels = finding.probe("import rclpy; print(rclpy.get_rmw_implementation_identifier())")
    if wheels.returncode != 0:
        yield Finding("ros 2", "problem", last_line(wheels.stderr), "make setup")
        return
    yield Finding("ros 2", "ok", f"rclpy {version_of('ros-rclpy') or '?'} with {wheels.stdout.strip()}")
    messages = finding.probe("import gmps_msgs.msg, gmps_msgs.srv, gmps_msgs.action, gmps_robot_nodes")
    if messages.returncode != 0:
        yield Finding("messages", "problem", last_line(messages.stderr), "make setup (needs g++ and cmake)")
    else:
        yield Finding("messages", "ok", "gmps_msgs and gmps_robot_nodes import")


def check_domain() -> Finding:
    """The ROS domain: a number that the system's ports allow, and nobody else in it."""
    domain = os.environ.get("ROS_DOMAIN_ID")
    if domain is None:
        return Finding("ros domain", "ok", "not set: the stack takes one where nobody is")
    if not (domain.isdecimal() and int(domain) in DOMAINS):
        return Finding("ros domain", "problem", f"ROS_DOMAIN_ID={domain}", f"export ROS_DOMAIN_ID=0 to {DOMAINS[-1]}")
    free = finding.probe(f"from gmps_robot_nodes import domain; print(domain.is_free({int(domain)}))")
    if free.stdout.strip() == "False":
        advice = "end the stack that runs there, or export another number: two hands on one topic stop the arm"
        return Finding("ros domain", "note", f"somebody is in domain {domain} already", advice)
    return Finding("ros domain", "ok", f"{domain}, nobody is in it")


def check_reach() -> Finding:
    """Who can talk to the nodes: ROS 2 asks nobody for a password."""
    reach = os.environ.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    if reach in ("LOCALHOST", "OFF"):
        return Finding("discovery", "ok", f"{reach}: this machine only")
    advice = "export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST unless nodes run on several machines"
    return Finding("discovery", "note", f"{reach}: whoever is on the network can move the arm", advice)


def check_renderers() -> Iterator[Finding]:
    """The twin, its policy images, and video frames for people, in processes that may crash in a graphics driver."""
    images = finding.probe(TWIN.format("video='rays'") + "print(*twin.image().shape)")
    if images.returncode != 0:
        yield Finding("twin", "problem", last_line(images.stderr), "make setup")
        return
    fast = importlib.util.find_spec("numba") is not None
    height, width, _ = images.stdout.split()
    drawn = f"{width} x {height} policy images by " + ("the fast ray caster" if fast else "MuJoCo's rays")
    slow = "" if fast else "pip install numba makes them some 40 times faster"
    yield Finding("twin", "ok" if fast else "note", drawn, slow)
    frames = finding.probe(TWIN.format("video='gl'") + "twin.video_frame(48, 64)")
    if frames.returncode == 0:
        yield Finding("video", "ok", f"OpenGL ({os.environ.get('MUJOCO_GL', 'egl')})")
    else:
        yield Finding("video", "note", "frames come from the ray caster", last_line(frames.stderr))
