"""One meta-training run in the twin: demonstrations, warm-up, Alg. 1, saved after every stage and resumable."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from gmps_robot import config
from gmps_robot.checkpoint import save_checkpoint
from gmps_robot.errors import ConfigError
from gmps_robot.families import family as family_by_name
from gmps_robot.families.family import Family
from gmps_robot.learning.belief import fit
from gmps_robot.learning.gmps import meta_train
from gmps_robot.learning.imitation import DemonstrationSet
from gmps_robot.learning.outer import MetaOptimiser, Theta
from gmps_robot.learning.recipe import Recipe
from gmps_robot.learning.warmup import warm_up
from gmps_robot.policy import MetaPolicy, PolicySpec, expand, init_fast, init_slow, mirrored_normal
from gmps_robot.rig import NOMINAL, RigCalibration, load_rig, save_rig
from gmps_robot.rig_match import RIG
from gmps_robot.tasks import Task, contexts
from gmps_robot.tracking import RunLog
from gmps_robot.types import FloatArray, SceneState
from sim.demonstration_sources import demonstration_set, training_tasks
from sim.render.camera import rig_camera
from sim.rollouts import VecSimulator

if TYPE_CHECKING:
    from gmps_robot.data.demonstrations import Demonstrated

STATE = "training.pt"
BELIEF_CONTEXTS, BELIEF_SEED = 600, 20190401  # training goals that the success model is scored under


@dataclass
class Training:
    """Everything a run needs to go on after a crash."""

    theta: Theta
    demos: DemonstrationSet
    generator: torch.Generator
    optimiser: MetaOptimiser | None = None
    iteration: int = 0  # meta-iterations done
    cpu_seconds: float = 0.0


def train(
    recipe: Recipe,
    out: Path,
    progress: Callable[[str, int, int, dict[str, float]], None],
    shown: Demonstrated | None = None,
    rig: RigCalibration | None = None,
) -> Theta:
    """Run `recipe` in `out`, or go on where it stopped. `progress(stage, done, total, record)` is called often.

    `shown` are the demonstrations of people that `recipe.demonstrations` speaks of, `rig` is the one whose camera the
    policy will see through; None for the nominal one.

    Raises:
        ConfigError: `out` holds a run of another recipe or rig.
    """
    torch.set_num_threads(1)
    rig = rig or load_rig(NOMINAL)
    claim(recipe, out, rig)
    family = family_by_name(recipe.family)
    tasks = training_tasks(recipe, family, shown)
    goals = contexts(tasks)
    simulator = VecSimulator(family, randomise=recipe.randomise, camera=rig_camera(rig))
    spec = _spec(recipe, family, rig)
    run = _resume(recipe, spec, out, simulator)
    with RunLog(out, -recipe.warmup.steps if run is None else run.theta.steps + 1) as log:
        if run is None:
            run = _begin(recipe, family, spec, tasks, simulator, out, log, progress, shown)
        for record in _meta_train(recipe, family, goals, simulator, run, out):
            log.write(run.theta.steps, record)
            progress("meta-training", run.theta.steps, recipe.gmps.iterations * recipe.outer.steps, record)
    policy = run.theta.policy(recipe.gmps.latent_std)
    if recipe.gmps.latent_std > 0:
        policy = with_belief(policy, family, simulator, recipe.gmps.pool_episodes, run.generator)
    save_checkpoint(replace(policy, meta=_provenance(recipe, run, simulator)), out)
    return run.theta


def with_belief(
    policy: MetaPolicy, family: Family, simulator: VecSimulator, episodes: int, generator: torch.Generator
) -> MetaPolicy:
    """Fit the success model of `learning/belief.py` on fresh episodes of theta, scored under many training contexts."""
    many = contexts(family.sample("train", BELIEF_CONTEXTS, seed=BELIEF_SEED))
    draws = policy.latent_std * mirrored_normal(generator, 1, episodes, policy.spec.latent_size)
    rolled = simulator.roll_out(policy.spec, policy.slow, expand(policy.fast, 1), many[:1], draws, generator)
    final = SceneState(rolled.scene.tip[0, :, -1], rolled.scene.object_pose[0, :, -1], rolled.scene.time[0, :, -1])
    solved = np.stack([family.success(final, context) for context in many], axis=1)
    belief = fit(draws[0], torch.from_numpy(solved), torch.from_numpy(many).float())
    return replace(policy, belief=belief)


def reward_function(family: Family, recipe: Recipe) -> Callable[[SceneState, FloatArray], FloatArray]:
    """The recipe's inner-loop reward as a function of scene and context."""
    return lambda scene, context: family.reward(scene, context, recipe.reward)


def claim(recipe: Recipe, out: Path, rig: RigCalibration | None = None) -> None:
    """Reserve the folder `out` for `recipe`, and for `rig` where that is not the nominal one.

    Raises:
        ConfigError: it holds a run of another recipe or rig.
    """
    rig = rig or load_rig(NOMINAL)
    told, before = out / RIG, out / "recipe.yaml"
    held = load_rig(told).rig_id if told.is_file() else NOMINAL
    if before.is_file() and held != rig.rig_id:
        raise ConfigError(f"{out} holds a run for the rig {held}, not {rig.rig_id}: choose another --out, or delete it")
    if rig.rig_id != NOMINAL:
        save_rig(rig, told)
    path = out / "recipe.yaml"
    if path.is_file() and config.load(Recipe, path) != recipe:
        raise ConfigError(f"{out} holds a run of another recipe or seed: choose another --out, or delete it")
    config.save(recipe, path)


def _spec(recipe: Recipe, family: Family, rig: RigCalibration) -> PolicySpec:
    return PolicySpec(
        recipe.kind, family.name, family.observation_center, family.observation_scale, family.action_size,
        recipe.latent_size, rig=rig.rig_id,
    )  # fmt: skip


def _theta(recipe: Recipe, spec: PolicySpec, tasks: int, generator: torch.Generator) -> Theta:
    slow = init_slow(spec, generator)
    fast = init_fast(spec, generator, recipe.log_std)
    fast["latent"] += recipe.latent_centre
    steps = {k: torch.full_like(v, recipe.head_step) for k, v in fast.items()}
    steps["latent"].fill_(recipe.latent_step)
    return Theta(spec, slow, fast, steps, torch.zeros(tasks, recipe.latent_size))


def _begin(
    recipe: Recipe,
    family: Family,
    spec: PolicySpec,
    tasks: tuple[Task, ...],
    simulator: VecSimulator,
    out: Path,
    log: RunLog,
    progress: Callable[[str, int, int, dict[str, float]], None],
    shown: Demonstrated | None,
) -> Training:
    started = time.process_time()
    generator = torch.Generator().manual_seed(recipe.seed)
    theta = _theta(recipe, spec, len(tasks), generator)
    demos, steps = demonstration_set(recipe, family, tasks, spec, shown, simulator.camera)
    simulator.steps += steps
    goals = contexts(tasks)
    progress("demonstrations", 1, 1, {"samples": float(simulator.steps)})
    for k, record in enumerate(warm_up(theta, demos, goals, simulator, recipe.warmup, generator)):
        if k % 25 == 0:
            log.write(k - recipe.warmup.steps, record)
        progress("warm-up", k + 1, recipe.warmup.steps, record)
    run = Training(theta, demos, generator, cpu_seconds=time.process_time() - started)
    _save(run, simulator, out)
    return run


def _meta_train(
    recipe: Recipe, family: Family, goals: FloatArray, simulator: VecSimulator, run: Training, out: Path
) -> Iterator[dict[str, float]]:
    started = time.process_time()
    if run.optimiser is None:
        run.optimiser = _optimiser(recipe, run.theta)
    reward = reward_function(family, recipe)
    records = meta_train(
        run.theta, run.demos, goals, simulator, reward, recipe.gmps, recipe.outer, recipe.adapt, run.generator,
        run.optimiser, run.iteration,
    )  # fmt: skip
    for record in records:
        if "iteration" in record:
            run.iteration = int(record["iteration"]) + 1
            run.cpu_seconds, started = run.cpu_seconds + time.process_time() - started, time.process_time()
            _save(run, simulator, out)
            yield {**record, "cpu_seconds": run.cpu_seconds}
        else:
            yield record


def _optimiser(recipe: Recipe, theta: Theta) -> MetaOptimiser:
    return MetaOptimiser(theta, recipe.adapt, recipe.outer, recipe.gmps.iterations * recipe.outer.steps)


def _save(run: Training, simulator: VecSimulator, out: Path) -> None:
    theta, demos = run.theta, run.demos
    state = {
        "slow": {k: v.detach() for k, v in theta.slow.items()},
        "fast": {k: v.detach() for k, v in theta.fast.items()},
        "step_sizes": {k: v.detach() for k, v in theta.step_sizes.items()},
        "task_latents": theta.task_latents.detach(),
        "steps": theta.steps,
        "demos": [demos.proprio, demos.labels, demos.images],
        "generator": run.generator.get_state(),
        "adam": None if run.optimiser is None else run.optimiser.adam.state_dict(),
        "iteration": run.iteration,
        "samples": simulator.steps,
        "cpu_seconds": run.cpu_seconds,
    }
    partial = out / f"{STATE}.part"
    torch.save(state, partial)
    partial.replace(out / STATE)


def _resume(recipe: Recipe, spec: PolicySpec, out: Path, simulator: VecSimulator) -> Training | None:
    if not (out / STATE).is_file():
        return None
    state = torch.load(out / STATE, weights_only=True)
    generator = torch.Generator()
    generator.set_state(state["generator"])
    slow, fast, steps = state["slow"], state["fast"], state["step_sizes"]
    theta = Theta(spec, slow, fast, steps, state["task_latents"], state["steps"])
    run = Training(theta, DemonstrationSet(*state["demos"]), generator, None, state["iteration"], state["cpu_seconds"])
    if state["adam"] is not None:
        run.optimiser = _optimiser(recipe, theta)
        run.optimiser.adam.load_state_dict(state["adam"])
    simulator.steps = state["samples"]
    return run


def _provenance(recipe: Recipe, run: Training, simulator: VecSimulator) -> dict[str, str]:
    return {
        "recipe": recipe.name,
        "recipe_id": config.content_id(recipe),
        "seed": str(recipe.seed),
        "note": recipe.note,
        "environment_steps": str(simulator.steps),
        "training_cpu_seconds": f"{run.cpu_seconds:.0f}",
        "demonstrations": recipe.demonstrations.source,
        "dataset": recipe.demonstrations.dataset,
        "command": f"gmps meta-train {recipe.name} --seed {recipe.seed}{_demos_option(recipe)}",
    }


def _demos_option(recipe: Recipe) -> str:
    source = recipe.demonstrations.source
    return "" if source == "expert" else f" --demos '{source}'"
