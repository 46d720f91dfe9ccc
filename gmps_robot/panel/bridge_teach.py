"""The part of the bridge that teaching needs: the lease, motion, the scene, the recorder, checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from gmps_robot.tasks import Task

RecorderState = Literal["idle", "recording", "refusing", "failed"]


@dataclass(frozen=True)
class RecorderView:
    """What the recorder last said."""

    state: RecorderState = "idle"
    episode: str = ""
    task_id: str = ""
    seconds: float = 0.0
    steps: int = 0
    bytes: int = 0
    dropped: int = 0
    message: str = ""


@dataclass(frozen=True)
class SceneView:
    """What rewards see, for programs that drive the page; never shown to a policy."""

    tip: tuple[float, float, float]  # [m]
    object: tuple[float, float, float]  # [m]
    stamp_ns: int


@dataclass(frozen=True)
class CameraView:
    """How points of the base frame fall on the shown picture."""

    width: int  # [pixel]
    height: int
    projection: tuple[float, ...]  # 3x4, row by row: homogeneous base coordinates [m] -> pixel times depth
    rig: str = ""  # content id of the calibration; an episode of another rig was seen otherwise


class TeachBridge(Protocol):
    """What a person who teaches may know and ask for. The contract of `PanelBridge` holds here too."""

    def lease_acquire(self, holder: str) -> str:
        """Take the arm for `holder` and return the lease that commands must carry.

        Raises:
            SessionError: somebody else holds it; the message says who.
        """
        ...

    def lease_release(self, lease: str) -> None:
        """Give the arm back; a lease that is not in force any more is no error."""
        ...

    def teleop(self, velocity: tuple[float, float, float], gripper: float, lease: str) -> None:
        """Publish one command: `velocity` in action units, norm at most 1. Returns at once, never raises."""
        ...

    def scene(self) -> SceneView | None:
        """Return the latest state of the scene; None where nobody publishes it."""
        ...

    def camera(self) -> CameraView | None:
        """Return how the shown picture sees the base frame; None where that is not known."""
        ...

    def reset_scene(self, task: Task, seed: int, lease: str) -> str:
        """Put arm and scene back for `task`; return what a person must still do, empty when nothing.

        Args:
            task: what is to be taught.
            seed: of what is drawn.
            lease: of whoever asks, empty: none. An arm that has to go home is given back by it, and by no other one.

        Raises:
            SessionError: it is refused, as while a session runs or somebody else holds the arm.
        """
        ...

    def record_start(self, task: Task, operator: str) -> str:
        """Begin an episode of a demonstration and return its id.

        Raises:
            SessionError: one is open, or the disk has too little room.
        """
        ...

    def record_save(self, episode: str, accepted: bool) -> str:
        """End the open episode and keep it; return what the recorder says.

        Raises:
            SessionError: that episode is not open, or could not be kept.
        """
        ...

    def record_discard(self, episode: str, reason: str) -> str:
        """End the open episode and put it aside; return what the recorder says.

        Raises:
            SessionError: that episode is not open.
        """
        ...

    def replay(self, episode: str) -> str:
        """Play a recorded episode back on the twin; return what the twin says.

        Raises:
            SessionError: there is no twin, or it refuses.
        """
        ...

    def choose_checkpoint(self, name: str) -> None:
        """Let the next session begin from checkpoint `name`, one of the archive's.

        Raises:
            SessionError: a session is running, or the adaptation refuses it.
        """
        ...
