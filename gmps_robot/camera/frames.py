"""Frames with their stamps, and what decides which of them count: neither old ones nor the same one again."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

import numpy as np

from gmps_robot.types import ImageArray

CameraState = Literal["starting", "running", "frozen", "silent", "lost", "ended"]

SILENCE = 0.2  # no new frame for this long is worth a word; the guard's own limit says the same [s]
EARLY = 0.25  # share of a period that a frame may come before it is due
QUEUED = 0.25  # a grab that waits for less than this share of a frame's period has found an old frame in the buffer
WINDOW = 40  # frames whose rate is told


@dataclass(frozen=True)
class Frame:
    """One image of the sensor, with the time of its grab on both clocks."""

    stamp_ns: int  # of the clock that the rest of the graph stamps with
    monotonic: float  # [s]
    pixels: ImageArray  # (height, width, 3) RGB


@dataclass(frozen=True)
class CameraHealth:
    """How fresh the camera is. Counts are since the start."""

    state: CameraState
    detail: str  # for people; empty while all is well
    age: float  # since the newest frame was grabbed; inf before the first [s]
    rate: float  # frames per second, lately
    frames: int = 0  # handed on
    dropped: int = 0  # not readable, or replaced by a newer one before anybody took them
    frozen: int = 0  # the same picture again, withheld
    queued: int = 0  # older than their grab, withheld
    reopened: int = 0


class FrameGate:
    """Decides which frames of a source are handed on, at `rate` per second at most.

    Args:
        rate: frames per second that are wanted.
        frame_period: of a live source [s]: its grab waits for the next frame. None where the source itself keeps time.
    """

    def __init__(self, rate: float, frame_period: float | None) -> None:
        self._period, self._frame_period = 1.0 / rate, frame_period
        self._due: float | None = None
        self._last: ImageArray | None = None
        self._times: deque[float] = deque(maxlen=WINDOW)
        self.frames = self.frozen = self.queued = 0
        self.newest = -np.inf  # time of the last frame that counted [s]
        self.frozen_since: float | None = None

    def wants(self, began: float, ended: float) -> bool:
        """Whether to look at the frame whose grab lasted from `began` to `ended` [s].

        A frame that was there at once has waited in a buffer: the time of its grab says nothing about its age.
        """
        if self._frame_period is not None and ended - began < QUEUED * self._frame_period:
            self.queued += 1
            return False
        return self._due is None or ended >= self._due - EARLY * self._period

    def admits(self, pixels: ImageArray, time: float) -> bool:
        """Whether `pixels`, grabbed at `time` [s], are new: no sensor gives the same picture twice."""
        late = 0.5 * self._period
        self._due = time + self._period if self._due is None else max(self._due + self._period, time + late)
        if self._last is not None and np.array_equal(self._last, pixels):
            self.frozen += 1
            self.frozen_since = time if self.frozen_since is None else self.frozen_since
            return False
        self._last, self.frozen_since, self.newest = pixels, None, time
        self._times.append(time)
        self.frames += 1
        return True

    def rate(self, now: float) -> float:
        """Frames per second lately, as seen at `now` [s]."""
        times = [time for time in self._times if now - time <= WINDOW * self._period]
        span = now - times[0] if times else 0.0
        return (len(times) - 1) / span if len(times) > 1 and span > 0 else 0.0

    def judge(self, now: float) -> tuple[CameraState, str]:
        """State and reason at `now` [s], of a source that is open."""
        age = now - self.newest
        if not self.frames:
            return "starting", "no picture yet"
        if age <= SILENCE:
            return "running", ""
        if self.frozen_since is not None:
            return "frozen", f"the same picture for {age:.1f} s: unplug the camera and plug it in again"
        return "silent", f"no picture for {age:.1f} s"
