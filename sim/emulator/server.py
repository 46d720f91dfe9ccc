"""The emulator's own process: the robot in real time, the wire to the face, and the private control socket.

Started by `sim.intera_emulator.Emulator`; its standard input is its life line: when that closes, it ends its children,
removes its folder and ends.
"""

from __future__ import annotations

import json
import os
import selectors
import shutil
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gmps_robot import families
from gmps_robot.control.timing import prefer_this_process
from gmps_robot.errors import GmpsError, SimulationError
from sim.emulator import parameters, wire
from sim.emulator.children import Children
from sim.emulator.commands import Commands
from sim.emulator.outbox import Outbox
from sim.emulator.robot import Robot

CONTROL = "control"
_START_LIMIT = 20.0  # [s]
_MOST_STEPS = 20  # physics steps made up for at once after a stall; what is later than that is lost
_GRIPPER_PERIOD, _GRIPPER_SHORTEST = 0.2, 0.05  # of gripper states: at rest, and while something changes [s]


class Server:
    """Runs one robot. Everything happens in one thread."""

    wall = staticmethod(time.time)

    def __init__(self, settings: Mapping[str, Any]) -> None:
        """Start the ROS 1 processes and build the robot; returns when the robot's topics are there.

        Raises:
            SimulationError: a ROS 1 process does not start.
        """
        self._folder = Path(settings["folder"])
        self._setup = {
            "parameters": parameters.parameters() | settings["parameters"], "limits": parameters.joint_limits(),
            "joints": parameters.joint_names(), "definitions": str(parameters.DEFINITIONS), "seed": settings["seed"],
        }  # fmt: skip
        self.children = Children(self._folder, settings["hostname"], int(settings["port"]))
        self.outbox = Outbox()
        self._selector = selectors.DefaultSelector()
        self._inbox = wire.Frames()
        self._control: dict[socket.socket, wire.Frames] = {}
        self.start_face()
        family = families.family(settings["family"])
        self.robot = Robot(family, int(settings["seed"]), float(settings["noise"]), time.monotonic())
        self._commands = Commands(self)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self._folder / CONTROL))
        self._listener.listen()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(sys.stdin, selectors.EVENT_READ)
        self.clock_offset, self.frozen_stamp = 0.0, None
        self._gripper_told = 0.0
        self.lost = 0.0  # time that the world did not live through, because this process was not run [s]
        self.wait_for_face()

    frozen_stamp: float | None

    def start_face(self) -> None:
        """Start the node that ROS 1 sees."""
        self.children.start_face(self._setup)
        link = self.children.link
        if link is not None:
            link.setblocking(False)
            self._inbox, self._ready = wire.Frames(), False
            self.outbox.connect(link)
            self._selector.register(link, selectors.EVENT_READ)

    def wait_for_face(self) -> None:
        """Wait until the face has advertised everything.

        Raises:
            SimulationError: it does not.
        """
        end = time.monotonic() + _START_LIMIT
        while not self._ready:
            self._listen(0.1)
            if self.children.face_ended() or time.monotonic() > end:
                raise SimulationError(f"the ROS 1 face of the robot does not start: {self.children.log('face')}")

    def stop_face(self) -> None:
        """Kill the node that ROS 1 sees."""
        if self.children.link is not None:
            self._selector.unregister(self.children.link)
        self.outbox.connect(None)
        self.children.kill_face()

    def run(self) -> None:
        """Live until the life line closes.

        Raises:
            SimulationError: the face has ended by itself.
        """
        dt = self.robot.body.dt
        due = time.monotonic() + dt
        while self._listen(max(0.0, due - time.monotonic())):
            now = time.monotonic()
            for _ in range(_MOST_STEPS):
                if due > now:
                    break
                self.robot.step(due)
                due += dt
            if due <= now:
                self.lost += now - due
                due = now + dt
            self._publish(now)
            if self.children.face_ended():
                raise SimulationError(f"the ROS 1 face of the robot has ended: {self.children.log('face')}")

    def close(self) -> None:
        """End the children and remove the folder."""
        self.children.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _publish(self, now: float) -> None:
        """Send the face what is due."""
        stamp = self.wall() + self.clock_offset if self.frozen_stamp is None else self.frozen_stamp
        bits = self.robot.due(now)
        if bits:
            self.outbox.send_if_free(self.robot.report(bits, stamp, now))
        gripper = self.robot.gripper
        waited = now - self._gripper_told
        if waited > _GRIPPER_PERIOD or (gripper.changed and waited > _GRIPPER_SHORTEST):
            self._gripper_told, gripper.changed = now, False
            self.outbox.send({"op": "gripper", "stamp": stamp, **gripper.report()})

    def _listen(self, patience: float) -> bool:
        """Handle what has come, or comes within `patience` [s]; False when the life line has closed."""
        for key, _ in self._selector.select(patience):
            source = key.fileobj
            if source is sys.stdin:
                if not os.read(key.fd, 4096):
                    return False
            elif source is self._listener:
                connection, _ = self._listener.accept()
                self._control[connection] = wire.Frames()
                self._selector.register(connection, selectors.EVENT_READ)
            elif source is self.children.link:
                self._hear()
            elif isinstance(source, socket.socket):
                self._serve(source)
        return True

    def _hear(self) -> None:
        """Take what the face says."""
        link = self.children.link
        data = _received(link) if link is not None else b""
        if not data:
            self.stop_face()
        now = time.monotonic()
        for _, payload in self._inbox.feed(data):
            message = json.loads(payload)
            if message["op"] == "ready":
                self._ready = True
            elif message["op"] == "lingering":
                self.stop_face()
            else:
                answer = self.robot.handle(message, now)
                if answer is not None:
                    self.outbox.send(answer)

    def _serve(self, connection: socket.socket) -> None:
        """Answer on the control socket."""
        data = _received(connection)
        if not data:
            self._dismiss(connection)
            return
        try:
            for _, payload in self._control[connection].feed(data):
                try:
                    answer = self._commands.carry_out(json.loads(payload), time.monotonic())
                except GmpsError as error:
                    answer = wire.json_frame({"problem": str(error)})
                connection.sendall(answer)
        except (OSError, ValueError):  # who asked is gone, or does not speak in frames of JSON
            self._dismiss(connection)

    def _dismiss(self, connection: socket.socket) -> None:
        self._selector.unregister(connection)
        del self._control[connection]
        connection.close()


def _received(connection: socket.socket) -> bytes:
    """What has come; nothing where the other side is gone, however it went."""
    try:
        return connection.recv(1 << 16)
    except ConnectionError:
        return b""


def main() -> None:
    """Serve as the settings (JSON in the first argument) say; tell the outcome as one line of JSON."""
    settings = json.loads(sys.argv[1])
    prefer_this_process()  # its children inherit it: a robot's computer serves nobody else
    try:
        server = Server(settings)
    except GmpsError as error:
        sys.stdout.write(json.dumps({"error": str(error)}) + "\n")
        sys.exit(1)
    try:
        sys.stdout.write(json.dumps({"master_uri": server.children.master_uri}) + "\n")
        sys.stdout.flush()
        server.run()
    finally:
        server.close()


if __name__ == "__main__":
    main()
