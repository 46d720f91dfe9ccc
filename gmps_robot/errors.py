"""Every error a user can cause: it names the thing, the value, the place and the valid choices."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class GmpsError(Exception):
    """Root of all errors of this project. The message is shown to a person as it stands."""


class ConfigError(GmpsError):
    """A configuration file, command-line option or launch argument is wrong."""


class CheckpointError(GmpsError):
    """A checkpoint is missing, damaged, or made for another task family, rig or policy."""


class TaskError(GmpsError):
    """A task, split or family does not exist."""


class ObservationError(GmpsError):
    """A camera image or arm state is missing, stale, or of the wrong shape."""


class ActionError(GmpsError):
    """An action is not finite or has the wrong shape."""


class SessionError(GmpsError):
    """An adaptation session was asked for something its state does not allow."""


class ArmError(GmpsError):
    """The arm refuses, does not answer, or is not the arm that the model describes."""


class LinkError(ArmError):
    """The robot's network does not answer as it should: master, name, back-connection or message definition."""


class EpisodeError(GmpsError):
    """A recorded episode is missing, damaged, or asked for at the wrong time; or there is no room to record one."""


class CatalogError(GmpsError):
    """The catalogue of episodes is of another version, not ours, not reachable, or lacks what was asked for."""


class StorageError(CatalogError):
    """Database or disk do not answer now, or refuse: says nothing about what there is, and may be tried again."""


class LabelError(CatalogError):
    """A label comes with the key of another one: it was pressed once and sent twice, and not with the same words."""


class SimulationError(GmpsError):
    """The physics diverged. `worlds` lists the indices of the worlds that did."""

    def __init__(self, message: str, worlds: Iterable[int] = ()) -> None:
        super().__init__(message)
        self.worlds = tuple(worlds)


class CalibrationError(GmpsError):
    """What was captured cannot be calibrated from, or does not fit together; the message names the fault."""


class RenderError(GmpsError):
    """No renderer can run on this machine, or an image could not be made."""


class SetupError(GmpsError):
    """Something this machine needs is not installed; the message holds the command that installs it."""


def nearest(name: str, choices: Iterable[str]) -> str:
    """Return "; did you mean 'x'? valid: a, b, x" for a misspelt `name`, to end an error message with."""
    known = sorted(choices)
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ";"
    return f"{hint} valid: {', '.join(known)}"
