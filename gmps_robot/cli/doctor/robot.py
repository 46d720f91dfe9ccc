"""The arm: the twin needs nothing more, the emulated one is started and asked like the real one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from gmps_robot.cli.doctor.finding import Finding
from gmps_robot.errors import GmpsError
from gmps_robot.sawyer.inspection import Answer


def check_robot(robot: str, master_uri: str) -> Iterator[Finding]:
    """What `robot` needs to be driven; nothing moves."""
    if robot == "emulator":
        yield from _emulated()
    elif robot == "sawyer":
        yield from _real(master_uri or os.environ.get("ROS_MASTER_URI", ""))


def _real(master_uri: str) -> Iterator[Finding]:
    from gmps_robot.sawyer.inspection import inspect

    if not master_uri:
        advice = "gmps doctor --robot sawyer --master-uri http://<serial>.local:11311, or export ROS_MASTER_URI"
        yield Finding("master", "problem", "the robot's address is not known", advice)
        return
    yield from findings(inspect(master_uri))


def _emulated() -> Iterator[Finding]:
    from gmps_robot import families
    from gmps_robot.sawyer.inspection import inspect
    from sim.emulator.children import missing
    from sim.intera_emulator import Emulator

    if problem := missing():
        yield Finding("emulator", "problem", problem, "make setup-test installs it where the system has it")
        return
    try:
        with Emulator(families.family("push")) as emulator:
            yield Finding("emulator", "ok", f"started at {emulator.master_uri}, as the robot would stand there")
            yield from findings(inspect(emulator.master_uri))
    except GmpsError as error:
        yield Finding("emulator", "problem", str(error), "the last lines above say why")


def findings(answers: Iterable[Answer]) -> Iterator[Finding]:
    """The robot's answers as lines of the report."""
    for answer in answers:
        status = "problem" if not answer.fit else "note" if answer.advice else "ok"
        yield Finding(answer.name, status, answer.detail, answer.advice)  # type: ignore[arg-type]
