"""Quality of service of every topic, by what it carries."""

from __future__ import annotations

from rclpy.duration import Duration
from rclpy.qos import DurabilityPolicy, HistoryPolicy, LivelinessPolicy, QoSProfile, ReliabilityPolicy

COMMAND_LIFESPAN = 0.15  # an older command must not reach the arm [s]; the guard's own limit says the same

COMMAND_LEASE = 1.0  # a publisher of commands whose process has been gone or hung for this long counts no more [s]

CAMERA = QoSProfile(reliability=ReliabilityPolicy.BEST_EFFORT, history=HistoryPolicy.KEEP_LAST, depth=1)
"""Only the newest picture counts."""

STATE = QoSProfile(reliability=ReliabilityPolicy.RELIABLE, history=HistoryPolicy.KEEP_LAST, depth=10)
"""What the arm measures, and what the scene looks like."""

COMMAND = QoSProfile(
    reliability=ReliabilityPolicy.RELIABLE,
    history=HistoryPolicy.KEEP_LAST,
    depth=1,
    lifespan=Duration(seconds=COMMAND_LIFESPAN),
    liveliness=LivelinessPolicy.AUTOMATIC,
    liveliness_lease_duration=Duration(seconds=COMMAND_LEASE),
)
"""Requests to move: the newest, and never an old one. Who offers no such lease is not heard."""

STATUS = QoSProfile(
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
    history=HistoryPolicy.KEEP_LAST,
    depth=1,
)
"""What a late joiner must know at once."""

CLOCK = QoSProfile(reliability=ReliabilityPolicy.RELIABLE, history=HistoryPolicy.KEEP_LAST, depth=1)
"""Simulated time."""

RECORDED = QoSProfile(reliability=ReliabilityPolicy.RELIABLE, history=HistoryPolicy.KEEP_LAST, depth=1000)
"""A listener that must miss nothing: for topics that are sent reliably."""

RECORDED_LATCHED = QoSProfile(
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
    history=HistoryPolicy.KEEP_LAST,
    depth=1000,
)
"""The same, with the last word from before."""

SHOWN = QoSProfile(reliability=ReliabilityPolicy.BEST_EFFORT, history=HistoryPolicy.KEEP_LAST, depth=100)
"""A listener of what may be lost."""
