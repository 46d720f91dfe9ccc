"""An adaptation is found again in the catalogue: what it learned from, what it gained, and what a person decided."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from gmps_robot.data.adaptations import keep_adaptation
from gmps_robot.data.catalog import Catalog
from gmps_robot.data.models import AdaptationRun, AdaptationStep, Checkpoint
from gmps_robot.data.reindex import reindex
from gmps_robot.tracking import read_metrics
from tests.data.episodes import TASKS, add_episode


def result(**changes: Any) -> dict[str, Any]:
    def episodes(*returns: float) -> list[dict[str, Any]]:
        return [{"return": value, "success": value > 0} for value in returns]

    plain = {
        "task": TASKS[0].task_id, "phase": "done", "decision": "accepted", "updates": 1, "reward": "twin",
        "success": {"before": 0.0, "after": 1.0},
        "episodes": {"before": episodes(0.0, 0.0), "adapt": episodes(0.0, 1.0, 1.0), "after": episodes(1.0, 1.0)},
    }  # fmt: skip
    return {**plain, **changes}


def test_a_session_is_written_down_with_its_episodes_and_its_checkpoint(url: str, tmp_path: Path) -> None:
    source, folder = tmp_path / "push", tmp_path / "session"
    for place in (source, folder / "phi-1"):
        place.mkdir(parents=True)
        (place / "weights.safetensors").write_bytes(place.name.encode())
    accepted = result(policy=str(folder / "phi-1"))
    with Catalog(tmp_path / "data", url, lambda: 100 * 10**9) as catalog:
        add_episode(catalog, TASKS[0], source="policy", started_ns=80 * 10**9)  # of an earlier session
        mine = add_episode(catalog, TASKS[0], source="policy", started_ns=95 * 10**9)
        step = keep_adaptation(catalog, folder, source, accepted, 10.0, "twin")
        assert (step.episodes, step.verdict, step.checkpoint) == ([mine], "accepted", str(folder / "phi-1"))
        assert (step.before["success"], step.after) == (0.0, {"episodes": 2, "success": 1.0, "mean_return": 1.0})
        (run,) = catalog.runs("adapt")
        assert (run.state, run.started_ns, run.path) == ("done", 90 * 10**9, str(folder.resolve()))
        (checkpoint,) = catalog.rows(Checkpoint)
        assert (checkpoint.run, checkpoint.parent) == (run.id, "push")
    assert [line["return"] for line in read_metrics(folder)] == [0.0, 1.0, 1.0]


def test_a_person_who_decides_otherwise_changes_the_verdict_and_adds_no_row(tmp_path: Path) -> None:
    folder = tmp_path / "session"
    folder.mkdir()
    with Catalog(tmp_path / "data") as catalog:
        keep_adaptation(catalog, folder, tmp_path / "push", result(policy="x"), 5.0, "robot")
        undone = result(phase="rolled_back", decision="rolled_back", policy=str(tmp_path / "push"))
        keep_adaptation(catalog, folder, tmp_path / "push", undone, 60.0, "robot")
        (step,), (run,) = catalog.rows(AdaptationStep), catalog.rows(AdaptationRun)
        assert (step.verdict, step.checkpoint, run.mode) == ("rolled_back", str(tmp_path / "push"), "robot")
        before = replace(step)
        assert reindex(catalog).damaged == []
        assert catalog.rows(AdaptationStep) == [before]
