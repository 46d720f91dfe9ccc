"""How long the adapt node takes from an image to its answer, once a second on /diagnostics."""

from __future__ import annotations

import time
from collections import deque

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from gmps_robot_nodes import conversions, qos

KEPT = 12_000  # answers that the percentiles look back on: ten minutes at 20 Hz
PERIOD = 1.0  # [s]


class AdaptHealth:
    """Collects durations and publishes their percentiles: of the clock, and of this thread's share of the processor."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._durations: deque[tuple[float, float]] = deque(maxlen=KEPT)
        self._began = (0.0, 0.0)
        self._told = 0.0
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", qos.STATE)

    def begin(self) -> None:
        """An image has come from the middleware."""
        self._began = (time.perf_counter(), time.thread_time())

    def end(self) -> None:
        """It has been answered."""
        self._durations.append((time.perf_counter() - self._began[0], time.thread_time() - self._began[1]))
        now = time.monotonic()
        if now - self._told >= PERIOD:
            self._told = now
            self._publisher.publish(self._message())

    def _message(self) -> DiagnosticArray:
        wall, cpu = 1e3 * np.array(self._durations).T
        status = DiagnosticStatus(level=DiagnosticStatus.OK, name="adapt", message="image in to command out")
        figures: dict[str, object] = {"answers": len(wall)}
        for name, values in (("wall", wall), ("cpu", cpu)):
            for rank in (50, 99, 100):
                figures[f"{name} p{rank} ms"] = round(float(np.percentile(values, rank)), 3)
        status.values = [KeyValue(key=key, value=str(value)) for key, value in figures.items()]
        stamp_ns = self._node.get_clock().now().nanoseconds
        return DiagnosticArray(header=conversions.header(stamp_ns), status=[status])
