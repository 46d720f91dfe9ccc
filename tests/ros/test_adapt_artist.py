"""Pictures of a session: what goes wrong with them is told, and holds up neither that session nor the next."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from gmps_robot_nodes.adapt_artist import Artist


def draw(artist: Artist, write_remains: Any) -> None:
    """Draw, and wait until it has been tried."""
    tried = artist.draw(SimpleNamespace(write_remains=write_remains), SimpleNamespace())  # type: ignore[arg-type]
    end = time.monotonic() + 10.0
    while not tried.done():
        assert time.monotonic() < end, "the goal would wait for ever"
        time.sleep(0.005)


def test_a_full_disk_is_told() -> None:
    told: list[str] = []
    draw(Artist("twin", told.append), lambda *_: ["no space left"])
    assert told == ["of this session there is no picture, film or row in the catalogue: no space left"]


def test_a_mistake_in_drawing_ends_neither_the_goal_nor_the_pictures_of_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    traces, told, drawn = [], [], []  # type: ignore[var-annotated]
    ended = threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda broken: (traces.append(broken.exc_type), ended.set()))
    artist = Artist("twin", told.append)

    def mistaken(*_: object) -> list[str]:
        raise ZeroDivisionError

    draw(artist, mistaken)
    assert ended.wait(10.0)
    assert traces == [ZeroDivisionError]
    assert "mistake" in told[0]
    draw(artist, lambda *words: drawn.append(words[1]) or [])
    assert drawn == ["twin"]
    assert len(told) == 1
