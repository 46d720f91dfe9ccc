"""A stand-in for a policy, as a process that can be killed: sweeps the tip from side to side at full policy speed.

Reads its orders line by line from standard input, one JSON object each: {"do": "sweep"}, "out",
"still", "grip", "nan", "old_image", "replay", "end".
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable

import numpy as np
import rclpy
from geometry_msgs.msg import PoseStamped
from gmps_msgs.msg import ArmCommand as ArmCommandMsg
from gmps_robot_nodes import conversions, qos
from rclpy.node import Node

from gmps_robot.control.timing import stay_in_memory
from gmps_robot.types import ArmCommand, FloatArray

PERIOD = 0.05  # [s]
SPEED = 0.2  # [m/s]
AHEAD, SIDE, HEIGHT = 0.40, 0.12, 0.025  # of the sweep [m]
BACK = 5.0  # to the line of the sweep [1/m]; each stop begins where the arm is, so that hundreds would lead it away
GRIPPER = -0.5


def sweep(tip: FloatArray, side: float) -> tuple[FloatArray, float]:
    """Which way (3,) a `tip` (3,) goes that sweeps, and to which side: -1 or 1, as before or turned round."""
    if abs(tip[1]) > SIDE:
        side = -float(np.sign(tip[1]))
    line = np.array([AHEAD, tip[1], HEIGHT])
    direction = np.array([0.0, side, 0.0]) + np.clip(BACK * (line - tip), -1.0, 1.0)
    return direction / np.linalg.norm(direction), side


class Policy(Node):
    """Publishes on `policy/command` 20 times per second."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.order = "still"
        self._tip, self._side, self._seq = np.array([AHEAD, 0.0, HEIGHT]), 1.0, 0
        self._image_ns, self._last, self._heard = 0, ArmCommandMsg(), False
        self._publisher = self.create_publisher(ArmCommandMsg, "policy/command", qos.COMMAND)
        self.create_subscription(PoseStamped, "arm/ee_pose", self._on_pose, qos.STATE)

    def tick(self) -> None:
        """Publish what the present order asks for."""
        now_ns = self.get_clock().now().nanoseconds
        if not self._heard and self._publisher.get_subscription_count() > 0:
            self._heard = True
            print(f"heard at {time.monotonic():.4f}", flush=True)
        if self.order != "old_image":
            self._image_ns = now_ns
        if self.order == "replay":
            self._publisher.publish(self._last)
            return
        self._seq += 1
        gripper = -GRIPPER if self.order == "grip" else GRIPPER
        command = ArmCommand(now_ns, self._seq, "policy", self._velocity(), gripper)
        message = conversions.command_message(command, self._image_ns)
        if self.order == "nan":
            message.twist.linear.x = float("nan")
            print(f"nan at {time.monotonic():.4f}", flush=True)
        self._last = message
        self._publisher.publish(message)

    def _velocity(self) -> np.ndarray:
        velocities: dict[str, Callable[[], np.ndarray]] = {
            "out": lambda: np.array([0.0, SPEED, 0.0]),
            "still": lambda: np.zeros(3),
            "grip": lambda: np.zeros(3),
        }
        return velocities.get(self.order, self._sweep)()

    def _sweep(self) -> np.ndarray:
        direction, self._side = sweep(self._tip, self._side)
        return SPEED * direction

    def _on_pose(self, message: PoseStamped) -> None:
        self._tip = conversions.vector(message.pose.position)


def main() -> None:
    """Run until standard input closes."""
    rclpy.init()
    node = Policy(sys.argv[1])
    stay_in_memory()  # what is measured is the row's fault, not pages that the system had dropped

    def obey() -> None:
        for line in sys.stdin:
            node.order = json.loads(line)["do"]
        node.order = "end"

    threading.Thread(target=obey, daemon=True).start()
    due = time.monotonic()
    while node.order != "end":
        while (left := due - time.monotonic()) > 0:
            rclpy.spin_once(node, timeout_sec=left)
        node.tick()
        due = max(due + PERIOD, time.monotonic())
    node.destroy_node()
    rclpy.try_shutdown()


if __name__ == "__main__":
    main()
