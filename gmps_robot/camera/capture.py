"""A thread that takes every frame as it comes, stamps it at the grab, and keeps the newest one for whoever asks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from gmps_robot.camera.frames import CameraHealth, CameraState, Frame, FrameGate
from gmps_robot.camera.sources import Source
from gmps_robot.errors import GmpsError

BACK_OFF = (0.5, 5.0)  # first and longest wait between attempts to open the camera again [s]
JOIN = 3.0  # a grab that hangs is left behind after this long [s]


class Capture:
    """The newest frame of a source that may go away and come back.

    Args:
        open_source: opens the source; called again whenever it is lost.
        rate: frames per second that are wanted.
        stamp: clock of the frames' stamps [ns].
        finite: the source has an end, which is no loss.
    """

    def __init__(
        self, open_source: Callable[[], Source], rate: float, stamp: Callable[[], int] = time.time_ns, *,
        finite: bool = False,
    ) -> None:
        """Open the source, once, in this thread.

        Raises:
            ConfigError: the source does not exist.
            ObservationError: it cannot be opened.
        """
        self._open, self._stamp, self._finite = open_source, stamp, finite
        self._source = open_source()
        self._gate = FrameGate(rate, self._source.frame_period)
        self._changed = threading.Condition()
        self._frame: Frame | None = None
        self._lost = ""  # why there is no source; empty while there is one
        self._state: CameraState = "lost"  # what `_lost` means
        self._dropped = self._reopened = 0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)
        self._thread.start()

    def newest(self, timeout: float) -> Frame | None:
        """Return the newest frame, each at most once; None when none has come within `timeout` [s]."""
        with self._changed:
            if self._frame is None:
                self._changed.wait(timeout)
            frame, self._frame = self._frame, None
            return frame

    def health(self) -> CameraHealth:
        """Return how fresh the camera is now."""
        now, gate = time.monotonic(), self._gate
        state, detail = (self._state, self._lost) if self._lost else gate.judge(now)
        return CameraHealth(
            state, detail, now - gate.newest, gate.rate(now), frames=gate.frames, dropped=self._dropped,
            frozen=gate.frozen, queued=gate.queued, reopened=self._reopened,
        )

    def close(self) -> None:
        """End the thread and give the source back."""
        self._closing.set()
        self._thread.join(JOIN)

    def _run(self) -> None:
        while not self._closing.is_set():
            reason = "the recording is over" if self._finite else "the camera has gone: is the cable in?"
            try:
                self._take()
            except GmpsError as error:
                reason = str(error)
            self._state, self._lost = "ended" if self._finite else "lost", reason
            self._source.close()
            if self._finite:
                return
            self._reopen()
        self._source.close()

    def _take(self) -> None:
        """Take frames until there are none."""
        while not self._closing.is_set():
            began = time.monotonic()
            if not self._source.grab():
                return
            ended, stamp_ns = time.monotonic(), self._stamp()
            if not self._gate.wants(began, ended):
                continue
            pixels = self._source.retrieve()
            if pixels is None:
                self._dropped += 1
            elif self._gate.admits(pixels, ended):
                self._hand_on(Frame(stamp_ns, ended, pixels))

    def _hand_on(self, frame: Frame) -> None:
        with self._changed:
            self._dropped += self._frame is not None
            self._frame = frame
            self._changed.notify()

    def _reopen(self) -> None:
        wait, longest = BACK_OFF
        reason = self._lost
        while not self._closing.wait(wait):
            try:
                self._source = self._open()
            except GmpsError as error:
                self._lost = f"{reason} Trying again: {error}"
                wait = min(2.0 * wait, longest)
                continue
            self._lost = ""
            self._reopened += 1
            return


def without_latency(frame: Frame, latency: float) -> Frame:
    """Return `frame` stamped with its exposure, `latency` [s] before the grab."""
    return replace(frame, stamp_ns=frame.stamp_ns - round(latency * 1e9))
