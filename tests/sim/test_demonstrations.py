"""Demonstrations: the expert's own labels on disturbed trajectories, the same for the same seed, safe on disk."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from gmps_robot.errors import ConfigError
from gmps_robot.families.push import PushFamily
from gmps_robot.tasks import contexts
from sim.demonstration_files import load_demonstrations, save_demonstrations
from sim.demonstrations import Demonstrations, collect_demonstrations

FAMILY = PushFamily()
TASKS = FAMILY.sample("train", 3, seed=0)


@pytest.fixture(scope="module")
def noisy() -> Demonstrations:
    return collect_demonstrations(FAMILY, TASKS, 4, 0.3, seed=0)


def test_labels_are_what_the_expert_would_do_where_the_noise_has_led(noisy: Demonstrations) -> None:
    before = dataclasses.replace(
        noisy.scenes(), tip=noisy.scenes().tip[:, :, :-1], object_pose=noisy.scenes().object_pose[:, :, :-1]
    )
    expected = FAMILY.expert(before, contexts(TASKS)[:, None, None])
    np.testing.assert_allclose(noisy.labels, expected, atol=1e-3)
    assert np.abs(noisy.actions - noisy.labels)[:, 1:].max() > 0.3


def test_the_first_demonstration_of_a_task_is_undisturbed_and_solves_it(noisy: Demonstrations) -> None:
    np.testing.assert_array_equal(noisy.actions[:, 0], noisy.labels[:, 0])
    assert noisy.success[:, 0].all()


def test_noise_grows_from_demonstration_to_demonstration(noisy: Demonstrations) -> None:
    inside = np.abs(noisy.labels) < 0.5  # elsewhere clipping hides a part of it
    spread = [(noisy.actions - noisy.labels)[:, j][inside[:, j]].std() for j in range(4)]
    assert spread == sorted(spread)
    # white plus bias, each of deviation 0.3
    assert spread[3] == pytest.approx(0.3 * np.sqrt(2), rel=0.25)


def test_success_is_judged_by_the_last_scene_and_every_step_is_counted(noisy: Demonstrations) -> None:
    miss = np.linalg.norm(noisy.object_poses[:, :, -1, :2] - contexts(TASKS)[:, None], axis=-1)
    np.testing.assert_array_equal(noisy.success, miss < FAMILY.success_radius)
    assert noisy.steps == 3 * 4 * FAMILY.horizon


def test_a_seed_fixes_everything_images_and_thread_count_included() -> None:
    first = collect_demonstrations(FAMILY, TASKS[:1], 2, 0.3, seed=5, images=True)
    again = collect_demonstrations(FAMILY, TASKS[:1], 2, 0.3, seed=5, images=True, threads=2)
    other = collect_demonstrations(FAMILY, TASKS[:1], 2, 0.3, seed=6)
    for field in ("observations", "labels", "actions", "applied", "tips", "object_poses", "success", "images"):
        np.testing.assert_array_equal(getattr(first, field), getattr(again, field))
    assert not np.array_equal(first.actions, other.actions)
    assert first.images is not None
    assert first.images.shape == (1, 2, FAMILY.horizon, 48, 64, 3)


def test_nothing_to_collect_is_an_error() -> None:
    with pytest.raises(ConfigError, match="0 tasks x 3 demonstrations"):
        collect_demonstrations(FAMILY, (), 3, 0.3, seed=0)


def test_files_hold_the_successes_and_name_their_tasks(noisy: Demonstrations, tmp_path: Path) -> None:
    success = noisy.success.copy()
    success[1, 3] = False
    made = dataclasses.replace(noisy, success=success)
    manifest = save_demonstrations(made, tmp_path / "demos", {"noise": 0.3}, keep_failures=False)
    loaded = list(load_demonstrations(tmp_path / "demos"))
    assert [task for task, _ in loaded] == list(TASKS)
    for i, (_, arrays) in enumerate(loaded):
        np.testing.assert_array_equal(arrays["labels"], noisy.labels[i][success[i]])
    assert manifest["kept"] == success.sum()
    assert manifest["samples"] == noisy.steps
    with pytest.raises(ConfigError, match="already holds demonstrations"):
        save_demonstrations(made, tmp_path / "demos", {}, keep_failures=True)


def test_an_unfinished_or_changed_folder_is_refused(noisy: Demonstrations, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not finished"):
        next(load_demonstrations(tmp_path))
    save_demonstrations(noisy, tmp_path, {}, keep_failures=True)
    victim = tmp_path / f"{TASKS[0].task_id}.npz"
    victim.write_bytes(victim.read_bytes()[:-10])
    with pytest.raises(ConfigError, match="is not the file"):
        next(load_demonstrations(tmp_path))
    victim.unlink()
    with pytest.raises(ConfigError, match="is missing"):
        next(load_demonstrations(tmp_path))
