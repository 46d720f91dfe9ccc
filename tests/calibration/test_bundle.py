"""Bundle adjustment finds the optimum that SciPy finds, and its covariance is that of the errors it makes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import least_squares

from calibration.bundle import Noise, corrected, predicted
from calibration.capture import Setup
from calibration.faults import rotation_spread
from calibration.hand_eye import METHODS, closed_form, hands, problem, seen_poses, solve_hand_eye
from calibration.lens import parameters, projection
from calibration.poses import angle_between, transform
from calibration.selftest import ARM_NOISE, BOARD, LENS
from calibration.sightings import Sightings
from calibration.synthetic import Truth, board_poses, projected, rig, unsure
from gmps_robot.types import FloatArray

KNOWN = Noise(0.06, ARM_NOISE[0], ARM_NOISE[1])


def world(setup: Setup, views: int, noise: tuple[float, float] = ARM_NOISE) -> tuple[Truth, FloatArray, Sightings]:
    rng = np.random.default_rng(11)
    truth = rig(setup, BOARD, LENS, rng)
    seen = board_poses(BOARD, LENS, views, rng)
    return truth, seen, projected(truth, seen, unsure(truth.hand(seen), *noise, rng), KNOWN.pixel, rng)


@pytest.mark.parametrize("setup", ["eye_to_hand", "eye_in_hand"])
def test_it_finds_the_optimum_that_scipy_finds(setup: Setup) -> None:
    _, _, found = world(setup, 5)
    ours = solve_hand_eye(found, LENS, noise=KNOWN)
    seen = problem(found, lens_terms=None)
    prior = np.repeat([1.0 / KNOWN.rotation, 1.0 / KNOWN.position], 3)

    def residuals(x: FloatArray) -> FloatArray:
        camera, board = corrected(ours.camera[None], x[None, :6])[0], corrected(ours.board[None], x[None, 6:12])[0]
        errors = x[12:].reshape(-1, 6)
        there = predicted(setup, camera, board, corrected(hands(found), errors))
        at = np.concatenate([transform(there[k], seen.points[seen.view == k]) for k in range(5)])
        wrong = (projection(at, parameters(LENS)).pixels - seen.pixels) / KNOWN.pixel
        return np.concatenate([wrong.ravel(), (errors * prior).ravel()])

    begin = np.concatenate([np.zeros(12), ours.errors.ravel()])
    theirs = least_squares(residuals, begin, x_scale="jac", method="trf", ftol=1e-14, xtol=1e-14, gtol=1e-14)
    spread = np.sqrt(np.diag(ours.covariance)[:12])
    assert np.abs(theirs.x[:12] / spread).max() < 0.15  # Huber weights are all that differs
    covariance = np.linalg.inv(theirs.jac.T @ theirs.jac)[:12, :12]
    np.testing.assert_allclose(spread, np.sqrt(np.diag(covariance)), rtol=0.1)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("setup", ["eye_to_hand", "eye_in_hand"])
def test_every_closed_form_is_called_in_its_own_convention(method: str, setup: Setup) -> None:
    truth, _, found = world(setup, 12, (0.0, 0.0))
    camera, board = closed_form(method, setup, hands(found), seen_poses(found, LENS))
    assert np.linalg.norm(camera[:3, 3] - truth.camera[:3, 3]) < 2e-3
    assert angle_between(board[:3, :3], truth.fixed[:3, :3]) < 2e-3


def test_the_arms_accuracy_is_read_off_the_views() -> None:
    _, _, found = world("eye_to_hand", 40)
    noise = solve_hand_eye(found, LENS).noise
    np.testing.assert_allclose([noise.pixel, noise.position, noise.rotation], [0.06, *ARM_NOISE], rtol=0.25)


def test_the_spread_of_rotations_tells_axes_apart() -> None:
    _, seen, _ = world("eye_to_hand", 20)
    assert rotation_spread(seen)[1] > np.deg2rad(10.0)
    assert rotation_spread(np.repeat(seen[:1], 5, axis=0))[0] < 1e-6
