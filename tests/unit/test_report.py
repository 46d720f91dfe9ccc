"""What an adaptation leaves behind: numbers, a picture, a film."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from gmps_robot.control.film import side_by_side, write_film
from gmps_robot.control.picture import draw_summary
from gmps_robot.control.report import AdaptReport, PathRecorder, summary_rows, write_result
from gmps_robot.control.session_status import SessionStatus
from gmps_robot.errors import ConfigError
from gmps_robot.types import SceneState
from tests.unit.session_world import TASK

STATUS = SessionStatus(
    phase="done", stage="after", task_id=TASK.task_id, episode=2, episodes=2, update=1, decision="accepted",
    returns=(0.0, 1.0, 0.0), successes=(False, True, False), before_returns=(0.0, 0.0),
    before_successes=(False, False), after_returns=(1.0, 0.0), after_successes=(True, False), message="accepted",
)  # fmt: skip


def scene(x: float, y: float) -> SceneState:
    return SceneState(np.zeros(3), np.array([x, y, 0.02, 0, 0, 0, 1.0]), np.array(0.0))


def report(status: SessionStatus = STATUS, *, with_paths: bool = True) -> AdaptReport:
    recorder = PathRecorder()
    goal = np.array(TASK.context)
    for stage, count in (("before", 2), ("adapt", 3), ("after", 2)):
        for k in range(count if with_paths else 0):
            recorder.begin(scene(0.5, 0.0))
            end = goal + (0.1 if stage == "before" else 0.02) * np.array([1.0, 0.0])
            recorder.add(scene(0.6, 0.01 * k))
            recorder.add(scene(*end))
            recorder.end(stage)  # type: ignore[arg-type]
    return AdaptReport(TASK, status, 0.05, recorder.paths, 61.5, "runs/phi-1", {"reward": "twin"})


def test_the_result_holds_every_episode_and_is_plain_json(tmp_path: Path) -> None:
    write_result(report(), tmp_path / "deep" / "result.json")
    told = json.loads((tmp_path / "deep" / "result.json").read_text())
    assert told["success"] == {"before": 0.0, "after": 0.5}
    assert told["distance_m"] == pytest.approx({"before": 0.1, "adapt": 0.02, "after": 0.02})
    assert [e["return"] for e in told["episodes"]["adapt"]] == [0.0, 1.0, 0.0]
    assert told["episodes"]["after"][0] == {"return": 1.0, "success": True, "distance_m": pytest.approx(0.02)}
    assert (told["task"], told["decision"], told["policy"]) == (TASK.task_id, "accepted", "runs/phi-1")
    assert told["reward"] == "twin"
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["result.json"]


def test_what_is_unknown_is_null_and_not_a_number_that_looks_known() -> None:
    told = report(SessionStatus(phase="stopped", task_id=TASK.task_id), with_paths=False).to_dict()
    assert told["success"] == {"before": None, "after": None}
    assert told["distance_m"]["after"] is None
    json.dumps(told, allow_nan=False)


def test_the_table_counts_successes_and_averages_distances() -> None:
    assert summary_rows(report()) == [
        ("before", "2", "0 of 2", "10.0 cm"),
        ("while exploring", "3", "1 of 3", "2.0 cm"),
        ("after", "2", "1 of 2", "2.0 cm"),
    ]


def test_an_episode_that_was_discarded_leaves_no_path() -> None:
    recorder = PathRecorder()
    recorder.begin(scene(0.5, 0.0))
    recorder.add(scene(0.6, 0.0))
    recorder.begin(scene(0.5, 0.0))
    recorder.add(scene(0.7, 0.0))
    recorder.end("adapt")
    (path,) = recorder.paths["adapt"]
    assert np.allclose(path, [[0.5, 0.0], [0.7, 0.0]])


@pytest.mark.parametrize("status", [STATUS, SessionStatus(phase="stopped", task_id=TASK.task_id)])
def test_the_picture_is_drawn_also_when_the_session_ended_early(tmp_path: Path, status: SessionStatus) -> None:
    draw_summary(report(status, with_paths=status is STATUS), tmp_path / "summary.png")
    pixels = np.asarray(Image.open(tmp_path / "summary.png").convert("RGB"))
    assert pixels.shape[1] > pixels.shape[0] > 300
    blue = (np.abs(pixels.astype(int) - [0x1F, 0x6F, 0xB2]).sum(-1) < 12).sum()
    assert (blue > 500) == (status is STATUS)  # bar and path of the stage `after`


def frames(count: int, red: int) -> list[np.ndarray]:
    return [np.full((48, 64, 3), (red, 4 * k, 90), dtype=np.uint8) for k in range(count)]


def test_the_film_shows_both_halves_and_the_shorter_waits(tmp_path: Path) -> None:
    joined = side_by_side(frames(4, 40), frames(7, 200), ("before", "after"))
    assert len(joined) == 7
    assert joined[6][-1, 0].tolist() == [40, 12, 90]
    assert joined[6][-1, -1].tolist() == [200, 24, 90]
    write_film(joined, tmp_path / "film.mp4", 20.0)
    with av.open(str(tmp_path / "film.mp4")) as container:
        stream = container.streams.video[0]
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        assert float(stream.average_rate or 0) == pytest.approx(20.0)
    assert len(pictures) == 7 + 20
    assert pictures[0].shape == (72, 128, 3)
    assert pictures[6][60, 10] == pytest.approx(np.array([40, 12, 90]), abs=12)


def test_films_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no frames"):
        side_by_side([], frames(2, 1), ("a", "b"))
    with pytest.raises(ConfigError, match=r"\(48, 64, 3\) and \(24, 64, 3\)"):
        side_by_side(frames(2, 1), [f[:24] for f in frames(2, 1)], ("a", "b"))
    with pytest.raises(ConfigError, match="no frames"):
        write_film([], tmp_path / "film.mp4", 20.0)
