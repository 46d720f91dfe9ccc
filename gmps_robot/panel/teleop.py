"""What becomes of a message of the teleop stream: motion, rest, or a latch. Pure; time is passed in.

The page repeats its whole wish 20 times per second, so that silence means stop. Whatever goes wrong while the arm moves
latches: nothing moves until a fresh message says that the person has let go. This is the second of three bounds; the
page lets go by itself when it is hidden, and the driver stops an arm whose commands are older than 200 ms, whatever
happens here.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from gmps_robot.errors import GmpsError

MAX_BYTES = 4096
MAX_RATE = 60  # messages that may ask for motion, per second
STALE = 0.15  # a message that took this much longer than the quickest one is not acted upon [s]
SILENCE = 0.25  # so long after the last message a moving arm stops, if the driver has not stopped it before [s]
DELAY_WINDOW = 10.0  # the quickest message of the last one or two of these counts: clocks drift apart [s]
LET_GO = "let go first"
LARGEST = 1e18  # of any number in a message; JSON knows integers that no float can hold
MAX_SEQ = 2**53  # what a browser counts exactly


class TeleopError(GmpsError):
    """A message of the teleop stream is misshapen."""


@dataclass(frozen=True)
class Message:
    """What the page wants at one instant."""

    session: str  # of the lease
    seq: int
    sent: float  # on the page's clock [s]
    enable: bool  # something is held
    velocity: tuple[float, float, float]  # action units, norm at most 1
    gripper: float  # -1 closed ... 1 open


@dataclass(frozen=True)
class Delays:
    """The quickest message so far: the offset between the clocks plus the least delay [s]."""

    least: float = math.inf
    before: float = math.inf  # of the window before this one
    since: float = -math.inf  # when this window began

    def seen(self, delay: float, now: float) -> Delays:
        """Return this with one more message."""
        if now - self.since > DELAY_WINDOW:
            return Delays(delay, self.least, now)
        return replace(self, least=min(self.least, delay))

    def age(self, delay: float) -> float:
        """How much later than the quickest a message came that took `delay` [s]."""
        return delay - min(self.least, self.before)


@dataclass(frozen=True)
class Stream:
    """One teleop connection."""

    session: str = ""  # the lease this stream speaks for, as its last message said
    seq: int = -1
    heard: float = -math.inf  # the last message in order [s]
    moving: bool = False
    latched: str = "start"  # why motion waits for a person to let go; empty: it does not
    delays: Delays = Delays()
    recent: tuple[float, ...] = ()  # when motion was asked for in the last second


class Verdict(NamedTuple):
    """What to do now. `velocity` None: publish nothing; zeros: rest."""

    velocity: tuple[float, float, float] | None
    gripper: float
    armed: bool
    reason: str
    tripped: str = ""  # why motion has ended against the person's wish, the moment it does


REST = (0.0, 0.0, 0.0)


def read(text: str) -> Message:
    """Read one message of the page.

    Raises:
        TeleopError: not the JSON that is expected; the message names the field.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise TeleopError(f"message of more than {MAX_BYTES} bytes")
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TeleopError(f"not JSON: {error}") from error
    if not isinstance(raw, dict):
        raise TeleopError("expected {session, seq, t_client, enable, v, gripper}")
    velocity = raw.get("v")
    if not isinstance(velocity, list) or len(velocity) != 3:
        raise TeleopError("v: expected three numbers from -1 to 1")
    x, y, z = (_number(value, "v") for value in velocity)
    norm = math.sqrt(x * x + y * y + z * z)
    share = 1.0 / norm if norm > 1.0 else 1.0
    session, enable, seq = raw.get("session"), raw.get("enable"), raw.get("seq")
    if not isinstance(session, str):
        raise TeleopError("session: expected the id that /api/lease gave")
    if not isinstance(enable, bool):
        raise TeleopError("enable: expected true or false")
    if not isinstance(seq, int) or isinstance(seq, bool) or not 0 <= seq < MAX_SEQ:
        raise TeleopError("seq: expected a whole number that rises with every message")
    sent, gripper = _number(raw.get("t_client"), "t_client") / 1000.0, _number(raw.get("gripper", 0.0), "gripper")
    return Message(session, seq, sent, enable, (x * share, y * share, z * share), max(-1.0, min(1.0, gripper)))


def receive(stream: Stream, message: Message, now: float, obstacle: str) -> tuple[Stream, Verdict]:
    """Act upon one message.

    Args:
        stream: what the previous call returned, or `Stream()`.
        message: as read.
        now: monotonic [s].
        obstacle: why nothing may move whatever the page says, such as a lost lease; empty: nothing.
    """
    if message.session != stream.session:
        stream = Stream(session=message.session, delays=stream.delays, recent=stream.recent)
    if message.seq <= stream.seq:
        return stream, Verdict(None, 0.0, stream.moving, f"seq: {message.seq} is not after {stream.seq}")
    delay = now - message.sent
    age = stream.delays.seen(delay, now).age(delay)
    silent = stream.moving and now - stream.heard > SILENCE
    stream = replace(stream, seq=message.seq, delays=stream.delays.seen(delay, now), heard=now)
    if obstacle:
        return _trip(stream, message, obstacle)
    if silent:
        return _trip(stream, message, f"nothing was heard from the page for more than {SILENCE * 1e3:.0f} ms")
    if age > STALE:
        return _trip(stream, message, f"a message was {age * 1e3:.0f} ms late")
    if not message.enable:
        return replace(stream, moving=False, latched=""), Verdict(REST, message.gripper, False, "")
    if stream.latched:
        return stream, Verdict(REST, message.gripper, False, _latched(stream.latched))
    recent = (*(t for t in stream.recent if now - t < 1.0), now)
    if len(recent) > MAX_RATE:
        return stream, Verdict(None, message.gripper, stream.moving, f"rate: more than {MAX_RATE} messages per second")
    return replace(stream, moving=True, recent=recent), Verdict(message.velocity, message.gripper, True, "")


def watch(stream: Stream, now: float, obstacle: str) -> tuple[Stream, Verdict | None]:
    """Notice what needs no message: silence, and an `obstacle` as of `receive`. Return None when all is well."""
    silence = f"nothing was heard from the page for more than {SILENCE * 1e3:.0f} ms"
    why = obstacle or (silence if now - stream.heard > SILENCE else "")
    if not stream.moving or not why:
        return stream, None
    return replace(stream, moving=False, latched=why), Verdict(REST, 0.0, False, _latched(why), why)


def _trip(stream: Stream, message: Message, why: str) -> tuple[Stream, Verdict]:
    tripped = why if stream.moving else ""
    verdict = Verdict(REST, message.gripper, False, _latched(why), tripped)
    return replace(stream, moving=False, latched=why), verdict


def _latched(why: str) -> str:
    return LET_GO if why == "start" else f"latched: {why}; {LET_GO}"


def _number(value: Any, field: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST:
        raise TeleopError(f"{field}: expected a finite number")
    return float(value)
