"""Declaring parameters with what a person needs to set them: a description, and a range that rclpy enforces."""

from __future__ import annotations

from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node

from gmps_robot.errors import ConfigError, nearest


def declare(
    node: Node, name: str, default: Any, description: str, *, low: float | None = None, high: float | None = None,
    choices: tuple[str, ...] = (), changeable: bool = False,
) -> Any:
    """Declare parameter `name` with the type of `default` and return its value.

    `low` and `high` bound numbers, both included. Unless `changeable`, it is fixed once the node has started.

    Raises:
        ConfigError: the value given at the start is not one of `choices`.
    """
    descriptor = ParameterDescriptor(
        description=description, read_only=not changeable,
        additional_constraints=f"one of: {', '.join(choices)}" if choices else "",
    )
    if low is not None and high is not None:
        if isinstance(default, int):
            descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high), step=0)]
        else:
            bounds = FloatingPointRange(from_value=float(low), to_value=float(high), step=0.0)
            descriptor.floating_point_range = [bounds]
    value = node.declare_parameter(name, default, descriptor).value
    if choices and value not in choices:
        raise ConfigError(f"parameter {name} = {value!r}{nearest(str(value), choices)}")
    return value
