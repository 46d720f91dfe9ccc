"""The gymnasium adaptors keep gymnasium's contract and hide the goal."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from gmps_robot.errors import ConfigError
from gmps_robot.families import family
from gmps_robot.tasks import contexts
from gmps_robot.types import SceneState
from sim.gym import SingleTask, VectorTasks

FAMILY = family("push")


@pytest.mark.parametrize("observation", ["state", "image"])
@pytest.mark.filterwarnings("ignore:.*A Box observation space m.*:UserWarning")
def test_gymnasium_accepts_the_environment(observation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gymnasium.envs.registration, "registry", {})
    gymnasium.register("push-v0", entry_point=lambda **settings: SingleTask(FAMILY, **settings))
    task = gymnasium.make("push-v0", observation=observation, render_mode="rgb_array")
    check_env(task.unwrapped, skip_render_check=False)


def test_an_expert_that_is_told_the_task_earns_the_reward() -> None:
    worlds = VectorTasks(FAMILY, 4, split="val", reward="binary")
    observation, info = worlds.reset(seed=3)
    by_name = {task.task_id: task for task in FAMILY.sample("val", 100, 0)}
    goals = contexts(tuple(by_name[name] for name in info["task"]))
    total = np.zeros(4)
    for step in range(FAMILY.horizon):
        scene = SceneState(observation[:, :3], np.pad(observation[:, 3:], ((0, 0), (0, 4))), np.zeros(4))
        observation, reward, ended, truncated, info = worlds.step(FAMILY.expert(scene, goals))
        total += reward
        assert not ended.any()
        assert truncated.all() == (step == FAMILY.horizon - 1)
    assert info["success"].all()
    np.testing.assert_array_equal(total, 1.0)


def test_the_step_after_an_episode_resets_and_draws_a_new_task() -> None:
    worlds = VectorTasks(FAMILY, 2)
    start, first = worlds.reset(seed=0)
    for _ in range(FAMILY.horizon):
        observation, _, _, truncated, _ = worlds.step(np.tile([1.0, 0.0, 0.0], (2, 1)))
    assert truncated.all()
    assert (observation[:, 3] > 0.6).all()
    observation, reward, _, truncated, second = worlds.step(np.tile([1.0, 0.0, 0.0], (2, 1)))
    np.testing.assert_array_equal(observation, start)
    assert (reward == 0.0).all()
    assert not truncated.any()
    assert list(first["task"]) != list(second["task"])
    _, _, _, truncated, _ = worlds.step(np.zeros((2, 3)))
    assert not truncated.any()


def test_a_masked_reset_leaves_the_other_worlds_alone() -> None:
    worlds = VectorTasks(FAMILY, 2)
    start, _ = worlds.reset(seed=0)
    for _ in range(10):
        moved, *_ = worlds.step(np.tile([1.0, 0.0, 0.0], (2, 1)))
    observation, _ = worlds.reset(options={"reset_mask": np.array([True, False])})
    np.testing.assert_array_equal(observation[0], start[0])
    np.testing.assert_array_equal(observation[1], moved[1])


def test_images_do_not_show_which_task_it_is() -> None:
    worlds = VectorTasks(FAMILY, 3, observation="image")
    images, info = worlds.reset(seed=1)
    assert len(set(info["task"])) > 1
    assert images[0].tobytes() == images[1].tobytes() == images[2].tobytes()


def test_unknown_settings_are_named() -> None:
    with pytest.raises(ConfigError, match="did you mean 'image'"):
        VectorTasks(FAMILY, 1, observation="images")
    with pytest.raises(ConfigError, match="did you mean 'dense'"):
        VectorTasks(FAMILY, 1, reward="denses")  # type: ignore[arg-type]
