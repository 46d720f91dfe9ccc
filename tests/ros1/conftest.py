"""A ROS 1 master of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ros1.ros1_world import ROSPY, Ros1, ros1


@pytest.fixture
def world() -> Iterator[Ros1]:
    if not ROSPY:
        pytest.skip("not available: no rospy on this system")
    with ros1() as made:
        yield made
