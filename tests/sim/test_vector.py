"""The batch simulator: independent worlds, limits, experts, errors."""

from __future__ import annotations

import mujoco as mj
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gmps_robot.errors import ActionError, ConfigError, RenderError, SimulationError
from gmps_robot.families import family
from gmps_robot.tasks import contexts
from gmps_robot.types import SceneState
from sim.randomize import Variation, sample_variations
from sim.render.camera import POLICY_CAMERA
from sim.vector import VecSim

FAMILY = family("push")
HORIZON = FAMILY.horizon


def noisy_actions(n: int, steps: int = 20, seed: int = 0) -> np.ndarray:
    """Actions (steps, n, 4) that run into the block and push it about."""
    rng = np.random.default_rng(seed)
    actions = rng.normal(size=(steps, n, 3)) * 0.4 + np.array([0.8, 0.0, 0.0])
    return FAMILY.arm_action(actions)


def play(simulator: VecSim, actions: np.ndarray) -> SceneState:
    for action in actions:
        scene = simulator.step(action)
    return scene


@pytest.mark.parametrize("split", ["val", "test"])
def test_scripted_expert_solves_held_out_tasks(split: str) -> None:
    goals = contexts(FAMILY.sample(split, 100, seed=0))
    simulator = VecSim(FAMILY, 100)
    scene = simulator.scene()
    for _ in range(HORIZON):
        scene = simulator.step(FAMILY.arm_action(FAMILY.expert(scene, goals)))
    assert FAMILY.success(scene, goals).mean() >= 0.98


def test_results_do_not_depend_on_threads_batch_size_or_order() -> None:
    n = 9
    ranges = {"friction_scale": (0.5, 2.0), "block_jitter": (0.0, 0.01)}
    variation = sample_variations(np.random.default_rng(0), n, ranges)
    actions = noisy_actions(n)

    def run(order: list[int], threads: int) -> tuple[np.ndarray, np.ndarray]:
        rows = Variation(friction_scale=variation.friction_scale[order], block_jitter=variation.block_jitter[order])
        simulator = VecSim(FAMILY, len(order), threads=threads, camera=POLICY_CAMERA, variation=rows)
        simulator.reset([100 + k for k in order])
        scene = play(simulator, actions[:, order])
        return np.concatenate([scene.tip, scene.object_pose], axis=1), simulator.images()

    states, images = run(list(range(n)), threads=1)
    for order, threads in (([*range(n)], 2), ([8, 3, 5, 0, 1, 2, 4, 7, 6], 1), ([4], 1), ([7, 2], 2)):
        other_states, other_images = run(order, threads)
        assert other_states.tobytes() == states[order].tobytes()
        assert other_images.tobytes() == images[order].tobytes()


def test_batch_equals_a_plain_loop_of_mujoco_steps() -> None:
    simulator = VecSim(FAMILY, 2)
    model, worlds = simulator._worlds.model, simulator._worlds
    data = mj.MjData(model)
    mj.mj_resetDataKeyframe(model, data, 0)
    for action in noisy_actions(2):
        scene = simulator.step(action)
        data.ctrl[:] = worlds.bind("ctrl")[1]
        mj.mj_step(model, data, nstep=10)
    mj.mj_forward(model, data)
    assert (worlds.bind("qpos")[1] == data.qpos).all()
    assert np.linalg.norm(data.qpos[9:11] - FAMILY.start_object[:2]) > 0.02, "the block was not pushed"
    np.testing.assert_array_equal(scene.tip[1], data.site("tip").xpos)


@given(seed=st.integers(0, 10_000), scale=st.sampled_from([0.3, 1.0, 10.0]), gain=st.sampled_from([1.0, 1.5]))
@settings(max_examples=8, deadline=None)
def test_commanded_tip_keeps_box_speed_and_acceleration(seed: int, scale: float, gain: float) -> None:
    limits, acceleration, dt = FAMILY.envelope.policy, FAMILY.envelope.acceleration, 1.0 / FAMILY.control_hz
    simulator = VecSim(FAMILY, 8, variation=Variation(action_gain=gain))
    rng = np.random.default_rng(seed)
    before, velocity_before = simulator.tip_target, np.zeros((8, 3))
    for _ in range(15):
        simulator.step(rng.normal(size=(8, 4)) * scale)
        velocity = (simulator.tip_target - before) / dt
        assert (simulator.tip_target >= limits.box_low).all()
        assert (simulator.tip_target <= limits.box_high).all()
        assert np.linalg.norm(velocity, axis=1).max() <= limits.speed + 1e-9
        assert np.linalg.norm(velocity - velocity_before, axis=1).max() <= acceleration * dt + 1e-6
        np.testing.assert_allclose(simulator.applied[:, :3], velocity / limits.speed, atol=1e-6)
        before, velocity_before = simulator.tip_target, velocity


def test_a_world_that_is_reset_starts_again_and_the_others_go_on() -> None:
    simulator = VecSim(FAMILY, 3, variation=Variation(block_jitter=0.01))
    start = simulator.reset([5, 6, 7])
    moved = play(simulator, noisy_actions(3))
    again = simulator.reset([6], worlds=[1])
    np.testing.assert_array_equal(again.object_pose[1], start.object_pose[1])
    np.testing.assert_array_equal(again.object_pose[[0, 2]], moved.object_pose[[0, 2]])
    np.testing.assert_array_equal(again.time, [1.0, 0.0, 1.0])
    assert (simulator.applied[1] == 0.0).all()
    np.testing.assert_array_equal(simulator.tip_target[1], VecSim(FAMILY, 1).tip_target[0])


def test_a_diverged_world_is_named_and_can_be_reset() -> None:
    simulator = VecSim(FAMILY, 3)
    simulator._worlds.bind("qvel")[1] = np.nan
    with pytest.raises(SimulationError, match="1 of 3 worlds diverged") as failure:
        simulator.step(np.zeros((3, 4)))
    assert failure.value.worlds == (1,)
    simulator.reset([1], worlds=[1])
    assert np.isfinite(simulator.step(np.zeros((3, 4))).object_pose).all()


@pytest.mark.parametrize(
    ("action", "message"),
    [(np.zeros((2, 3)), r"shape \(2, 3\); 2 worlds need \(2, 4\)"), (np.full((2, 4), np.nan), "action of world 0")],
)
def test_a_bad_action_is_an_error(action: np.ndarray, message: str) -> None:
    with pytest.raises(ActionError, match=message):
        VecSim(FAMILY, 2).step(action)


def test_wrong_use_is_named() -> None:
    with pytest.raises(ConfigError, match="worlds = 0"):
        VecSim(FAMILY, 0)
    with pytest.raises(ConfigError, match="1 seeds for 2 worlds"):
        VecSim(FAMILY, 2).reset([1])
    with pytest.raises(ConfigError, match="valid are 0 to 1"):
        VecSim(FAMILY, 2).reset([1], worlds=[2])
    with pytest.raises(RenderError, match="no camera"):
        VecSim(FAMILY, 1).images()


def test_policy_input_is_the_same_bytes_whatever_the_goal() -> None:
    from sim.twin import Twin

    inputs = []
    for task in FAMILY.sample("test", 3, seed=1):
        twin = Twin(FAMILY)
        twin.reset_scene(task, seed=0)
        twin.video_frame(48, 64)  # draws the goal, and must leave no trace of it
        inputs.append((twin.image().tobytes(), FAMILY.observation(twin.scene()).tobytes()))
    assert inputs[0] == inputs[1] == inputs[2]
