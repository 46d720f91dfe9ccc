"""Bodies of requests and answers of the API: what OpenAPI shows and what is checked. People and teaching."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from gmps_robot.panel.auth import Role
from gmps_robot.tasks import Split

Name = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[\w .@-]+$")]
EpisodeId = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
Reason = Annotated[str, Field(min_length=1, max_length=200)]
TaskNumber = Annotated[int, Field(ge=0, le=1_000_000)]


class Body(BaseModel):
    """Root of all requests: nothing unknown, nothing converted."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Answer(BaseModel):
    """Root of all answers."""

    model_config = ConfigDict(frozen=True)


class Problem(Answer):
    """What every refusal looks like."""

    error: str
    message: str


class LoginBody(Body):
    """POST /api/login."""

    token: Annotated[str, Field(min_length=1, max_length=200)]
    name: Name | None = None


class MeAnswer(Answer):
    """Who is logged in, for how many more seconds, and what the commands of the page move."""

    name: str
    role: Role
    seconds: float
    mode: str


class InviteBody(Body):
    """POST /api/invite: a login link for a person, or a bearer token for a program."""

    name: Name
    role: Role
    kind: Literal["link", "bearer"] = "link"


class InviteAnswer(Answer):
    """A secret, shown this once. `link` is the path of a login link."""

    token: str
    link: str | None
    seconds: float


class AuditEvent(Answer):
    """One act."""

    at: str
    who: str
    role: str
    what: str
    detail: str
    outcome: str


class AuditAnswer(Answer):
    """The newest acts first."""

    events: list[AuditEvent]


class LeaseBody(Body):
    """POST /api/lease."""

    action: Literal["acquire", "release", "take_over"]
    session: Annotated[str, Field(max_length=64)] = ""


class LeaseAnswer(Answer):
    """Who holds the arm. `session` goes into every message of the teleop stream."""

    session: str
    holder: str
    seconds: float
    message: str


class TaskBody(Body):
    """POST /api/scene/reset: which task of the plan is taught."""

    split: Split = "train"
    task: TaskNumber


class RecordBody(Body):
    """POST /api/recorder/start; without a task, the one that was chosen last."""

    split: Split = "train"
    task: TaskNumber | None = None


class SaveBody(Body):
    """POST /api/recorder/save."""

    episode: EpisodeId
    accepted: bool


class DiscardBody(Body):
    """POST /api/recorder/discard and /api/recorder/again."""

    episode: EpisodeId
    reason: Reason = "discarded in the panel"


class RecordAnswer(Answer):
    """The episode, and what the recorder says."""

    episode: str
    message: str = ""


class MessageAnswer(Answer):
    """What a person should know."""

    message: str


class PlanBody(Body):
    """POST /api/plan: how much is to be taught."""

    split: Split = "train"
    tasks: Annotated[int, Field(ge=1, le=1000)]
    per_task: Annotated[int, Field(ge=1, le=1000)]
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0


class TaskRow(Answer):
    """One task of the plan."""

    index: int
    split: Split
    task_id: str
    context: list[float]
    accepted: int
    recorded: int
    quota: int


class TasksAnswer(Answer):
    """The plan, how far it is, and what to teach next."""

    family: str
    split: Split
    quota: int
    radius: float
    next: int | None
    accepted: int
    wanted: int
    tasks: list[TaskRow]


class CameraAnswer(Answer):
    """3x4 matrix, row by row, from the base frame [m] to the shown picture [pixel]."""

    width: int
    height: int
    projection: list[float]


class SceneAnswer(Answer):
    """What rewards see [m]."""

    tip: list[float]
    object: list[float]
    stamp_ns: int
