"""The two ways to capture: the arm drives along a route, or a person moves it and views are taken by themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from calibration.route import Driver, Route
from calibration.session import CaptureSession, Progress
from gmps_robot.errors import ArmError
from gmps_robot.types import ArmState, ImageArray

Look = Callable[[], tuple[ImageArray, int, ArmState]]  # -> image, its stamp [ns], the arm at that time


def along(route: Route, driver: Driver, session: CaptureSession, look: Look) -> Iterator[str]:
    """Take one view at each stop; yields a line per stop. A stop that cannot be reached is said and left out.

    Raises:
        ArmError: the guard is in FAULT, or none of the stops can be reached.
    """
    reached = 0
    for number, stop in enumerate(route.stops, 1):
        try:
            for _ in driver.go(stop):
                pass
        except ArmError as error:
            if driver.latched:
                raise
            yield f"stop {number} of {len(route.stops)}: left out: {error}"
            continue
        reached += 1
        progress = session.offer(*look(), at_once=True)
        yield f"stop {number} of {len(route.stops)}: {progress.message}"
    if not reached:
        raise ArmError("none of the route's stops can be reached; check the poses against the safety envelope's box")
    for _ in driver.straighten():
        pass


def by_hand(session: CaptureSession, look: Look) -> Iterator[Progress]:
    """Take views by itself whenever the board is still, sharp and somewhere new; ends when the coverage is complete."""
    while not session.state.complete:
        yield session.offer(*look())
