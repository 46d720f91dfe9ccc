"""The marker on the block, in pictures of known truth: how exact, how sure of itself, and what it refuses to say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calibration.follow import STAYS, Follower
from calibration.poses import pose
from calibration.track import MarkerFinder, MarkerSpec, Sighting
from gmps_robot import families
from gmps_robot.errors import ConfigError
from gmps_robot.rig import Origin, load_rig
from gmps_robot.types import FloatArray, ImageArray, SceneState
from sim.marked_view import MarkedView
from sim.twin import Twin

RIG = load_rig("nominal")
PUSH = families.family("push")
MARKER = MarkerSpec()
NOISE = 2.0  # of 255
POSES = 120


class Table:
    """Pictures of a marked block wherever a test puts it."""

    def __init__(self, spec: MarkerSpec = MARKER) -> None:
        self.twin = Twin(PUSH)
        self._shapes = tuple(array.copy() for array in self.twin.shapes())
        self.twin.shapes = lambda: self._shapes  # type: ignore[method-assign,return-value,assignment]
        self._view = MarkedView(self.twin, spec.cells, spec.print_size)
        self._block = self.twin.model.geom("object").id
        self._rng = np.random.default_rng(7)

    def picture(self, x: float, y: float, turn: float, lift: float = 0.0, tilt: float = 0.0) -> ImageArray:
        """The table with the block at x, y [m], turned and tilted [rad], lifted [m]."""
        c, s, ct, st = np.cos(turn), np.sin(turn), np.cos(tilt), np.sin(tilt)
        positions, rotations = self._shapes
        positions[0, self._block] = x, y, 0.02 + lift
        turned = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.array([[ct, 0, st], [0, 1, 0], [-st, 0, ct]])
        rotations[0, self._block] = turned.ravel()
        image = self._view.image()
        noisy = image + self._rng.normal(0.0, NOISE, image.shape)
        return np.clip(noisy, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def table() -> Table:
    return Table()


@pytest.fixture(scope="module")
def finder() -> MarkerFinder:
    return MarkerFinder(MARKER, RIG, RIG.camera.pinhole)


def places(n: int) -> FloatArray:
    """x, y, turn (n, 3) over the table that the push family uses."""
    rng = np.random.default_rng(3)
    return rng.uniform((0.48, -0.20, -np.pi), (0.85, 0.20, np.pi), (n, 3))


def test_places_are_good_to_millimetres_and_rewards_with_them(table: Table, finder: MarkerFinder) -> None:
    truth = places(POSES)
    seen = [finder.find(table.picture(*row)) for row in truth]
    found = np.array([s.seen for s in seen])
    assert found.mean() >= 0.97, [s.reason for s in seen if not s.seen]
    measured = np.array([s.place[:3, 3] for s in seen])[found]
    true = truth[found]
    errors = np.linalg.norm(measured[:, :2] - true[:, :2], axis=1)
    assert np.median(errors) <= 0.002
    assert np.percentile(errors, 99) <= 0.005
    np.testing.assert_allclose(measured[:, 2], 0.02)
    turns = np.array([np.arctan2(s.place[1, 0], s.place[0, 0]) for s in seen])[found]
    assert np.degrees(np.median(np.abs((turns - true[:, 2] + np.pi) % (2 * np.pi) - np.pi))) < 1.0
    # The same functions score twin and table, so rewards agree within the error of the place.
    goal = np.array([0.72, 0.03])
    scored = [scene(np.column_stack([xy, np.full(len(true), 0.02)])) for xy in (measured[:, :2], true[:, :2])]
    distances = [PUSH.distance(s, goal) for s in scored]
    np.testing.assert_array_less(np.abs(distances[0] - distances[1]), errors + 1e-12)
    clear = np.abs(distances[1] - PUSH.success_radius) > errors
    np.testing.assert_array_equal(PUSH.success(scored[0], goal)[clear], PUSH.success(scored[1], goal)[clear])
    # The stated spread is an honest one: errors are neither far beyond it nor far below.
    sigma = np.array([np.sqrt(s.covariance[0, 0] + s.covariance[1, 1]) for s in seen])[found]
    assert 0.2 < np.median(errors / sigma) < 1.5


def test_an_unsure_camera_makes_unsure_places(table: Table) -> None:
    picture = table.picture(0.6, 0.05, 0.3)
    spread = np.diag([0.002**2] * 3 + [0.003**2] * 3)
    unsure = replace(RIG, origin=Origin("", "", tuple(spread.ravel().tolist())))
    sure, less = (MarkerFinder(MARKER, rig, rig.camera.pinhole).find(picture) for rig in (RIG, unsure))
    assert less.covariance[0, 0] > 4 * sure.covariance[0, 0]
    # A camera 2 mm further along y sees the block 2 mm further along y.
    moved = replace(RIG, camera_to_base=replace(RIG.camera_to_base, position=(1.05, 0.002, 0.55)))
    place = MarkerFinder(MARKER, moved, RIG.camera.pinhole).find(picture).place
    assert place[1, 3] - sure.place[1, 3] == pytest.approx(0.002, abs=1e-5)


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({"lift": 0.04}, "does not lie flat 40 mm high"),
        ({"tilt": 0.35}, "does not lie flat 40 mm high"),
        ({"x": 1.2}, "is not to be seen"),
    ],
)
def test_what_is_no_block_on_the_table_is_said_to_be_none(
    table: Table, finder: MarkerFinder, where: dict[str, float], said: str
) -> None:
    sighting = finder.find(table.picture(**{"x": 0.6, "y": 0.0, "turn": 0.0, **where}))
    assert not sighting.seen
    assert said in sighting.reason


def test_other_markers_and_two_of_a_kind_are_said(table: Table, finder: MarkerFinder) -> None:
    picture = table.picture(0.6, 0.0, 0.0)
    other = MarkerFinder(MarkerSpec(number=7), RIG, RIG.camera.pinhole).find(picture)
    assert not other.seen
    assert "marker 7 of DICT_4X4_50 is not to be seen; there are markers [0]" in other.reason
    twice = np.maximum(picture, 0).copy()
    twice[:, :320] = picture[:, 160:480]
    twice[:, 320:] = picture[:, 160:480]
    assert finder.find(twice).reason == "2 markers of number 0 in the picture"
    assert "320x240 pixels, not 640x480" in finder.find(picture[::2, ::2]).reason


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dictionary": "DICT_4X4_5"}, "did you mean 'DICT_4X4_50'"),
        ({"number": 50}, "DICT_4X4_50 has 0 to 49"),
        ({"size": 0.0}, "size = 0.0"),
    ],
)
def test_a_marker_that_cannot_be_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        MarkerSpec(**changes)  # type: ignore[arg-type]


def at(x: float) -> Sighting:
    """A sighting at x [m]."""
    return Sighting(True, "", pose(np.eye(3), np.array([x, 0.0, 0.02])))


def test_a_jump_is_said_and_believed_only_when_it_stays() -> None:
    follower, period = Follower(), 50_000_000
    assert all(follower.note(at(0.5 + 0.01 * k), k * period).seen for k in range(5))
    jumped = follower.note(at(0.64), 5 * period)
    assert not jumped.seen
    assert jumped.reason == "the marker jumped 10.0 cm within 0.05 s"
    assert follower.note(at(0.55), 6 * period).seen  # a misreading, and nothing came of it
    told = [follower.note(at(0.70 + 0.001 * k), (7 + k) * period).seen for k in range(STAYS)]
    assert told == [False] * (STAYS - 1) + [True]  # somebody moved it


def test_after_a_while_unseen_or_a_reset_any_near_place_is_good() -> None:
    follower = Follower()
    assert follower.note(at(0.5), 0).seen
    assert not follower.note(Sighting(False, "covered"), 100_000_000).seen
    assert follower.note(at(0.7), 500_000_000).seen
    follower.forget()
    assert follower.note(at(0.4), 510_000_000).seen


def scene(objects: FloatArray) -> SceneState:
    """A scene per row of places (n, 3)."""
    n = len(objects)
    turns = np.tile([0.0, 0.0, 0.0, 1.0], (n, 1))
    return SceneState(np.zeros((n, 3)), np.concatenate([objects, turns], axis=1), np.zeros(n))
