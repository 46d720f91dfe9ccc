"""PanelState in, what the page shows out: words, numbers and which buttons are valid. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gmps_robot.control.session_status import ACTING, RUNNING, SessionStatus
from gmps_robot.panel import view_calibrate
from gmps_robot.panel.bridge import Link, PanelState
from gmps_robot.panel.plan import EVALUATION, planned, points

FINISHED = frozenset({"done", "rolled_back"})
STOPPED = frozenset({"FAULT", "ESTOP"})  # guard states that a person ends with Release stop
OFF = frozenset({"DISABLED", "DISCONNECTED", "IDLE"})  # nobody has armed the arm: no command moves it
STAGE_WORDS = {"before": "before adaptation", "adapt": "adaptation", "after": "after adaptation"}


@dataclass(frozen=True)
class Words:
    """The big words. `tone` colours them: idle, run, ask (a person must act), good, warn, stop."""

    headline: str
    instruction: str
    tone: str
    lost_link: str = ""  # the link this is about; the page adds since when


def to_json(state: PanelState) -> dict[str, Any]:
    """Return the message of /ws/status and /api/status: plain JSON types."""
    session, words = state.session, explain(state)
    return {
        "mode": state.mode,
        "reward": state.reward,
        "phase": session.phase,
        "stage": session.stage,
        "paused": session.paused,
        "lost_link": words.lost_link,
        "headline": words.headline,
        "instruction": words.instruction,
        "tone": words.tone,
        "task": session.task_id,
        "task_text": state.task_text,
        "episode": session.episode,
        "episodes": session.episodes,
        "progress": progress(state),
        "progress_text": progress_text(state),
        "dots": dots(state),
        "update": session.update,
        "updates": session.updates,
        "returns": list(session.returns),
        "successes": list(session.successes),
        "before": summary(session.before_successes, session.before_returns),
        "after": summary(session.after_successes, session.after_returns),
        "chart": asdict(points(state)),
        "decision": session.decision,
        "decision_text": decision_text(session),
        "message": session.message,
        "allowed": sorted(allowed(state)),
        "guard": {"state": state.guard.state, "words": guard_words(state), "limits": list(state.guard.limits)},
        "links": [_link(link) for link in state.links if link.needed],
        "lease": {"holder": state.holder},
        "recorder": asdict(state.recorder),
        "checkpoint": state.checkpoint,
        "calibration": view_calibrate.to_json(state.calibration),
    }


def explain(state: PanelState) -> Words:
    """Say what happens now and what a person must do, the most pressing thing first."""
    session = state.session
    if state.guard.state in STOPPED:
        why = (state.guard.reason or "no reason given").rstrip(".")
        why = why[:1].upper() + why[1:]
        if state.guard.state == "ESTOP":
            return Words("Emergency stop", f"{why}. Make the work area safe, turn the e-stop button out if it is in, "
                         "then press Release stop, then Enable motors.", "stop")
        return Words("Arm stopped", f"{why}. Make the work area safe, then press Release stop. "
                     "The arm holds until you resume.", "stop")
    if state.guard.state == "DISABLED":
        why = f"{state.guard.reason.rstrip('.')}. " if state.guard.reason else ""
        return Words("Motors are off", f"{why}Take everybody out of the arm's reach, then press Enable motors.", "ask")
    if state.guard.state == "DISCONNECTED":
        return Words("Robot not connected", state.guard.reason or "Nothing has come from the robot.", "warn")
    lost = _link_named(state, "adaptation")
    if lost is not None and not lost.needed:
        return Words("No adaptation here", lost.hint, "idle")
    if lost is not None and lost.silent:
        return Words("Adaptation is silent", lost.hint or "Nothing heard from the adaptation node.", "warn", lost.name)
    arm = _link_named(state, "arm")
    if arm is not None and arm.silent:
        return Words("Arm is silent", arm.hint or "Nothing heard from the arm.", "warn", arm.name)
    if state.guard.state == "IDLE":
        advice = "Take everybody out of the arm's reach, then press Enable motors."
        return Words("The arm is not armed", f"Its motors are on, but no command moves it. {advice}", "ask")
    if session.paused:
        return Words("Paused", session.message or "The arm holds. Press Resume to go on.", "warn")
    if state.guard.state == "HOLD" and state.guard.reason and session.phase in ACTING:
        return Words("The arm holds", state.guard.reason, "warn")
    return _phase_words(state)


def _phase_words(state: PanelState) -> Words:
    session, person = state.session, state.reward == "human"
    if session.phase == "resetting" or (session.phase == "awaiting_reset" and not _by_hand(state)):
        ask = "Arm and block go back to their start: keep your hands out of the work area."
        return _ask("Resetting", ask, session, "run")
    if session.phase == "awaiting_reset":
        ask = "Place the block on its mark, take your hands out of the work area, then press Block is back."
        return _ask("Put the block back", ask, session)
    if session.phase == "awaiting_label":
        if not person:
            return Words("Judging", "The episode is measured.", "run")
        return _ask("Did it work?", f"Judge episode {session.episode}: press Success or Fail.", session)
    said = session.message[:1].upper() + session.message[1:]
    if session.phase in ACTING:
        return Words(_acting(session), f"The arm moves: keep clear. {said}".strip(), "run")
    table = {
        "idle": Words("Ready", "Choose a task and press Start.", "idle"),
        "adapting": Words("Learning", said or "The policy is updated from the rewards. The arm holds.", "run"),
        "done": Words("Done", said or decision_text(session), "good"),
        "rolled_back": Words("Rolled back", said or decision_text(session), "warn"),
        "stopped": Words("Session ended", f"{said} Finished episodes are kept.".strip(), "warn"),
    }
    return table[session.phase]


def _by_hand(state: PanelState) -> bool:
    """Whether a person puts the block back: who waits for nobody is `resetting`, and a simulated scene is put back."""
    return state.session.phase == "awaiting_reset" and state.reward != "twin"


def _ask(headline: str, ask: str, session: SessionStatus, tone: str = "ask") -> Words:
    """The session ends its message with a question of its own; what it says before that is news."""
    news = session.message.rpartition(". ")[0]
    return Words(headline, f"{ask} {news[:1].upper()}{news[1:]}".strip(), tone)


def _acting(session: SessionStatus) -> str:
    words = {"before": "Testing the old policy", "adapt": "Exploring", "after": "Testing the adapted policy"}
    return words[session.stage]


def allowed(state: PanelState) -> frozenset[str]:
    """Return the commands that make sense now. `arm/stop` and `arm/kill` always do."""
    session, actions = state.session, {"arm/stop", "arm/kill"}
    if state.guard.state in STOPPED:
        actions.add("arm/reset_fault")
    if state.guard.state in ("DISABLED", "IDLE"):
        actions.add("arm/enable")
    link = _link_named(state, "adaptation")
    if link is not None and link.silent:
        return frozenset(actions)
    if session.phase in RUNNING:
        actions.add("stop")
        if not session.paused:
            actions.add("pause")
        elif state.guard.state not in (*STOPPED, *OFF):
            actions.add("resume")
    elif state.guard.state not in (*STOPPED, *OFF):
        actions.add("start")
    if not session.paused and _by_hand(state):
        actions.add("reset_done")
    if not session.paused and session.phase == "awaiting_label" and state.reward == "human":
        actions.add("label")
    if session.phase in FINISHED and session.decision:
        actions.add("roll_back" if session.decision == "accepted" else "accept")
    return frozenset(actions)


def progress(state: PanelState) -> float:
    """Share of the whole session that is over, 0 to 1."""
    s = state.session
    if s.phase in FINISHED:
        return 1.0
    plan = planned(state)
    whole = s.updates * plan.episodes + 2 * plan.evaluation
    over = len(s.before_successes) + len(s.successes) + len(s.after_successes)
    part = s.step / s.horizon if s.phase in ACTING and s.horizon else 0.0
    return min(1.0, (over + part) / whole) if whole else 0.0


def progress_text(state: PanelState) -> str:
    """Such as "Episode 7 of 20, adaptation"."""
    s = state.session
    if s.phase not in RUNNING:
        return {"idle": "No session yet", "stopped": "Ended by a person"}.get(s.phase, "Session complete")
    if s.phase == "adapting":
        return f"Update {min(s.update + 1, s.updates)} of {s.updates}"
    return f"Episode {s.episode} of {s.episodes}, {STAGE_WORDS[s.stage]}"


def dots(state: PanelState) -> list[str]:
    """One word per episode of the running stage: success, fail, now or todo."""
    s = state.session
    total = EVALUATION if s.phase == "idle" else s.episodes
    if s.phase == "idle":
        return ["todo"] * total
    over = {"before": s.before_successes, "adapt": _current_batch(s), "after": s.after_successes}[s.stage]
    words = ["success" if success else "fail" for success in over][:total]
    if s.phase in RUNNING and s.phase != "adapting" and len(words) < total:
        words.append("now")
    return words + ["todo"] * (total - len(words))


def _current_batch(session: SessionStatus) -> Sequence[bool]:
    """The episodes since the last update; the whole last batch while the update runs."""
    full, rest = divmod(len(session.successes), max(1, session.episodes))
    if rest == 0 and full and session.phase in ("adapting", "stopped"):
        full -= 1
    return session.successes[full * session.episodes :]


def decision_text(session: SessionStatus) -> str:
    """What the comparison of after with before led to."""
    if session.decision == "accepted":
        return "The adapted policy is kept."
    if session.decision == "rolled_back":
        return "The adapted policy was no better: the policy from before is back."
    return "Kept or rolled back once both sides are tested."


def guard_words(state: PanelState) -> str:
    """The guard in one line."""
    guard = state.guard
    if guard.reason:
        return f"Guard {guard.state}: {guard.reason}"
    limited = f", limited by {', '.join(guard.limits)}" if guard.limits else ""
    words = {
        "DISCONNECTED": "Guard: robot not connected", "DISABLED": "Guard: motors off", "IDLE": "Guard: not armed",
        "ARMED": "Guard: armed, at rest", "MOVING": "Guard: arm moves", "HOLD": "Guard: arm holds",
    }
    return words.get(guard.state, f"Guard: {guard.state}") + limited


def summary(successes: Sequence[bool], returns: Sequence[float]) -> dict[str, Any]:
    """Successes, count, 95 % Wilson interval and mean return of one side of the comparison."""
    n, k = len(successes), sum(successes)
    low, high = wilson(k, n)
    mean = sum(returns) / len(returns) if returns else None
    return {"successes": k, "count": n, "low": low, "high": high, "mean_return": mean}


def wilson(successes: int, count: int, z: float = 1.959964) -> tuple[float, float]:
    """95 % interval of a success rate (Wilson 1927); (0, 1) when nothing was tried."""
    if count == 0:
        return 0.0, 1.0
    rate, spread = successes / count, z * z / count
    centre = (rate + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(rate * (1 - rate) / count + spread / (4 * count))
    return max(0.0, centre - half), min(1.0, centre + half)


def _link(link: Link) -> dict[str, Any]:
    age = None if link.age_s is None else round(link.age_s, 1)
    return {"name": link.name, "age_s": age, "silent": link.silent, "hint": link.hint}


def _link_named(state: PanelState, name: str) -> Link | None:
    return next((link for link in state.links if link.name == name), None)
