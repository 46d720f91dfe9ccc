"""What the control socket can ask of the server: faults, and a look behind the wire."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from gmps_robot.errors import ConfigError, nearest
from sim.emulator import assembly, parameters, wire
from sim.emulator.robot import TRACE

if TYPE_CHECKING:
    from sim.emulator.server import Server

Options = Mapping[str, Any]


class Commands:
    """Carries out requests {"do": name, ...}; the answer is a frame of JSON or bytes."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._queries: dict[str, Callable[[Options], bytes]] = {
            "describe": lambda _: self._describe(),
            "events": lambda _: wire.json_frame({"events": server.robot.history()}),
            "trace": lambda o: wire.frame(wire.BYTES, server.robot.traced(float(o.get("seconds", TRACE))).tobytes()),
            "scene": lambda _: self._scene(),
            "reset_object": lambda _: self._reset_object(),
        }
        self._faults: dict[str, Callable[[Options, float], None]] = {
            "estop_press": lambda _, now: self._robot.change(assembly.press(self._robot.assembly), now),
            "estop_release": lambda _, now: self._robot.change(assembly.release(self._robot.assembly), now),
            "robot_error": lambda _, now: self._robot.change(assembly.fail(self._robot.assembly), now),
            "collision": lambda o, _: setattr(self._robot, "collision", bool(o["active"])),
            "nan_state": lambda o, _: setattr(self._robot, "nan_state", bool(o["active"])),
            "push": lambda o, now: self._robot.body.push(np.array(o["force"]), now + float(o["seconds"]), o["body"]),
            "table": lambda o, _: self._robot.body.raise_table(float(o["height"])),
            "tip_shift": lambda o, _: setattr(self._robot, "tip_shift", np.array(o["offset"])),
            "tip_invalid": lambda o, _: setattr(self._robot, "tip_valid", not o["active"]),
            "gripper_acks": lambda o, _: setattr(self._robot.gripper, "swallow", bool(o["swallowed"])),
            "stamps": self._freeze_stamps,
            "clock": lambda o, _: setattr(server, "clock_offset", float(o["offset"])),
            "topic": lambda o, _: server.outbox.send({"op": "topic", **o}),
            "joint_limits": self._limit,
            "parameter": lambda o, _: server.outbox.send({"op": "parameter", **o}),
            "master_killed": lambda *_: server.children.kill_master(),
            "network_silent": lambda o, _: server.children.freeze_face(bool(o["active"])),
            "network_reset": lambda *_: server.outbox.send({"op": "linger"}),
            "network_back": self._restart_face,
        }

    @property
    def _robot(self) -> Any:
        return self._server.robot

    def carry_out(self, request: Mapping[str, Any], now: float) -> bytes:
        """Carry out one request that came at `now` [s]; return the frame of the answer.

        Raises:
            ConfigError: there is no such request.
        """
        what = request["do"]
        if what == "fault":
            name = request["name"]
            self._robot.note(now, "fault", name)
            self._faults[name](request["options"], now)
            return wire.json_frame({"time": now})
        if what not in self._queries:
            raise ConfigError(f"unknown request {what!r}{nearest(str(what), self._queries)}")
        return self._queries[what](request)

    def _describe(self) -> bytes:
        return wire.json_frame({**self._robot.describe(), "lost": self._server.lost})

    def _scene(self) -> bytes:
        """Everything needed to draw the scene, and when it was so on both clocks."""
        body = self._robot.body
        return wire.json_frame({
            "qpos": body.qpos.tolist(), "tip": body.tip.tolist(), "table": body.table_height,
            "time_ns": time.time_ns(), "monotonic": time.monotonic(),
        })  # fmt: skip

    def _reset_object(self) -> bytes:
        self._robot.body.reset_object()
        return wire.json_frame({})

    def _freeze_stamps(self, options: Options, _now: float) -> None:
        self._server.frozen_stamp = self._server.wall() + self._server.clock_offset if options["frozen"] else None

    def _limit(self, options: Options, _now: float) -> None:
        limits = parameters.joint_limits(float(options["scale"]))
        self._server.outbox.send({"op": "joint_limits", "limits": limits})

    def _restart_face(self, _options: Options, _now: float) -> None:
        self._server.stop_face()
        self._server.start_face()
