"""Tasks: disjoint splits, stratified training goals, the same goals on every machine."""

from __future__ import annotations

import numpy as np
import pytest

from gmps_robot.errors import TaskError
from gmps_robot.families import family
from gmps_robot.families.push import CELL, GOAL_HIGH, GOAL_LOW
from gmps_robot.learning.recipe import RECIPES, load_recipe
from gmps_robot.tasks import Task, contexts

PUSH = family("push")


def cells(split: str, n: int, seed: int) -> set[tuple[int, int]]:
    goals = contexts(PUSH.sample(split, n, seed))  # type: ignore[arg-type]
    return {(int(x), int(y)) for x, y in np.floor((goals - GOAL_LOW) / CELL + 1e-9)}


@pytest.mark.parametrize("seed", [0, 1, 20190401])
def test_splits_never_share_a_cell(seed: int) -> None:
    train, val, test = (cells(split, 300, seed) for split in ("train", "val", "test"))
    assert not train & val
    assert not train & test
    assert not val & test


def test_ood_goals_lie_outside_the_box_and_within_five_centimetres() -> None:
    goals = contexts(PUSH.sample("ood", 200, 0))
    outside = np.maximum(GOAL_LOW - goals, goals - GOAL_HIGH).max(axis=1)
    assert outside.min() > 0
    assert outside.max() <= 0.05


@pytest.mark.parametrize("seed", range(5))
def test_twenty_training_goals_leave_no_gap(seed: int) -> None:
    """Any goal of the box has a training goal within 4.5 cm: uniform draws often leave 6 cm."""
    goals = contexts(PUSH.sample("train", 20, seed))
    grid = np.stack(np.meshgrid(np.linspace(0.68, 0.78, 11), np.linspace(-0.1, 0.1, 21)), -1).reshape(-1, 2)
    nearest = np.linalg.norm(grid[:, None] - goals[None], axis=-1).min(axis=1)
    assert nearest.max() < 0.045


@pytest.mark.parametrize("split", ["train", "val", "test", "ood"])
@pytest.mark.parametrize(("few", "many"), [(8, 20), (20, 45), (100, 101), (150, 250)])
def test_a_goal_does_not_depend_on_how_many_are_drawn(split: str, few: int, many: int) -> None:
    assert PUSH.sample(split, few, 3) == PUSH.sample(split, many, 3)[:few]  # type: ignore[arg-type]
    assert len({task.context for task in PUSH.sample(split, many, 3)}) > 0.9 * many  # type: ignore[arg-type]


def test_a_task_survives_json() -> None:
    task = PUSH.sample("test", 1, 0)[0]
    assert Task.from_json(task.to_json()) == task
    with pytest.raises(TaskError, match="not a task"):
        Task.from_json('{"family": "push"}')


def test_misspelt_names_are_answered_with_the_nearest() -> None:
    with pytest.raises(TaskError, match="did you mean 'push'"):
        family("pusch")
    with pytest.raises(TaskError, match="did you mean 'test'"):
        PUSH.sample("tests", 1, 0)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda p: p.stem)
def test_every_recipe_loads_under_its_own_name(path) -> None:  # type: ignore[no-untyped-def]
    assert load_recipe(path.stem).name == path.stem
