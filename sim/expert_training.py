"""Train a contextual SAC expert in VecSim: collect, update, validate, keep the best, resume after a crash.

One round = one episode in each of `worlds` worlds with the sampling policy, then the updates those samples pay for.
Every control step that reaches the learner is counted, demonstrations included; validation steps are counted apart.
"""

from __future__ import annotations

import json
import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from gmps_robot import config
from gmps_robot.errors import CheckpointError, ConfigError
from gmps_robot.families.family import Family
from gmps_robot.learning.replay import Episodes, Replay
from gmps_robot.learning.sac import (
    Learner,
    Losses,
    SacSettings,
    Transitions,
    make_learner,
    restore,
    sample_action,
    snapshot,
    update,
)
from gmps_robot.tasks import Split, contexts
from gmps_robot.tracking import RunLog
from sim.demonstrations import collect_demonstrations
from sim.experts import Expert, PrivilegedProblem, SacExpert, save_expert
from sim.vector import VecSim

STATE, BEST, SETTINGS = "training.pt", "best", "settings.yaml"
UPDATES_PER_DRAW = 25  # batches drawn from the replay at once
COUNTERS = ("seconds", "cpu_seconds", "validation_steps", "next_validation", "streak")


@dataclass(frozen=True)
class ExpertSettings:
    """One training run of an expert. Saved beside its output; a resumed run must have the same."""

    family: str = "push"
    seed: int = 0
    demos: int = 30
    """Scripted demonstrations in the replay, their steps counted as samples. 0: none."""
    max_samples: int = 60_000
    """Control steps after which training ends, demonstrations included."""
    worlds: int = 10
    """Episodes collected between two blocks of updates."""
    updates_per_sample: float = 1.0
    """Gradient steps per control step."""
    demo_share: float = 0.5
    """Share of each batch that is drawn from demonstrations."""
    hindsight: float = 0.4
    """Share of each batch that is judged for a task that the episode solved by chance."""
    reward_scale: float = 0.05
    """Factor on the family's dense reward."""
    validation_tasks: int = 50
    """Fixed `val` tasks that choose the checkpoint."""
    validate_every: int = 2_500
    """Control steps between two validations."""
    good_enough: int = 3
    """Stop after so many validations in a row without a failure. 0: never stop early."""
    sac: SacSettings = field(default_factory=SacSettings)


@dataclass(frozen=True)
class Evaluation:
    """How an expert did on a set of tasks, one episode each, deterministic."""

    successes: tuple[bool, ...]
    distances: tuple[float, ...]  # at the end of the episode [m]
    steps: int

    @property
    def success(self) -> float:
        """Share of tasks solved at the end of the episode."""
        return float(np.mean(self.successes))

    @property
    def distance(self) -> float:
        """Mean final distance [m]."""
        return float(np.mean(self.distances))


@dataclass
class Run:
    """Everything a run changes, at the border between two rounds."""

    seed: int
    learner: Learner
    replay: Replay
    rng: np.random.Generator
    generator: torch.Generator
    seconds: float = 0.0  # wall clock of all sessions of this run
    cpu_seconds: float = 0.0
    validation_steps: int = 0
    next_validation: int = 0
    streak: int = 0  # validations in a row without a failure
    best: tuple[float, float] = (-1.0, 0.0)  # success and minus the mean final distance
    losses: Losses | None = None  # of the last update
    records: list[dict[str, float]] = field(default_factory=list)


def evaluate_expert(family: Family, expert: Expert, split: Split, tasks: int, seed: int) -> Evaluation:
    """One deterministic episode on each of `tasks` tasks of `split`; success is judged at the last step."""
    goals = contexts(family.sample(split, tasks, seed))
    sim = VecSim(family, tasks)
    scene = sim.reset()
    for _ in range(family.horizon):
        scene = sim.step(family.arm_action(expert.act(scene, goals, sim.applied)))
    distances, successes = family.distance(scene, goals), family.success(scene, goals)
    return Evaluation(
        tuple(bool(s) for s in successes), tuple(float(d) for d in distances), tasks * family.horizon
    )


def train_expert(
    family: Family,
    settings: ExpertSettings,
    out: Path,
    *,
    max_seconds: float,
    resume: bool = False,
    on_progress: Callable[[Run], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Run:
    """Train until `max_samples`, `max_seconds` of wall clock, or `good_enough`; the best expert is in `out/best`.

    Raises:
        ConfigError: `out` already holds a run and `resume` is false, or one with other settings; or `resume` is true
            and it holds none.
        CheckpointError: the saved state is damaged.
    """
    torch.set_num_threads(1)  # more threads make updates of this size slower, ruinously so beside other processes
    problem = PrivilegedProblem.of(family, settings.reward_scale)
    run = _open(family, problem, settings, out, resume)
    sim = VecSim(family, settings.worlds)
    started, cpu_started, before, cpu_before = clock(), time.process_time(), run.seconds, run.cpu_seconds
    with RunLog(out, run.replay.samples + 1 if resume else 0) as log:
        while True:
            _update(run, settings)
            run.seconds = before + clock() - started
            run.cpu_seconds = cpu_before + time.process_time() - cpu_started
            last = _finished(run, settings, max_seconds)
            if _due(run, last):
                log.write(run.replay.samples, _validate(run, problem, settings, out))
                _save(run, out)
            if on_progress is not None:
                on_progress(run)
            if last or _good_enough(run, settings):
                return run
            run.replay.add(_collect(sim, problem, run))


def _update(run: Run, settings: ExpertSettings) -> None:
    """Take the gradient steps that the samples so far pay for."""
    owed = int(run.replay.samples * settings.updates_per_sample) - run.learner.updates
    size = settings.sac.batch_size
    for start in range(0, owed, UPDATES_PER_DRAW):
        count = min(UPDATES_PER_DRAW, owed - start)
        drawn = run.replay.sample(
            count * size, run.rng, demo_share=settings.demo_share, hindsight=settings.hindsight
        )
        for batch in zip(*(column.split(size) for column in drawn), strict=True):
            run.losses = update(run.learner, Transitions(*batch), run.generator)


def _collect(sim: VecSim, problem: PrivilegedProblem, run: Run) -> Episodes:
    """One episode per world with the sampling policy, each for its own training task."""
    family = sim.family
    goals = contexts(family.sample("train", sim.n, int(run.rng.integers(2**31))))
    narrow = goals.astype(np.float32)
    scene = sim.reset(seeds=run.rng.integers(2**31, size=sim.n).tolist())
    states, actions = [problem.state(scene, sim.applied)], []
    for _ in range(family.horizon):
        features = torch.from_numpy(problem.features(states[-1], narrow))
        with torch.no_grad():
            action = sample_action(run.learner.actor, features, run.generator)[0].numpy()
        scene = sim.step(family.arm_action(action.astype(np.float64)))
        actions.append(action)
        states.append(problem.state(scene, sim.applied))
    return Episodes(np.stack(states, axis=1), np.stack(actions, axis=1), narrow)


def _demonstrate(family: Family, problem: PrivilegedProblem, settings: ExpertSettings) -> Episodes:
    tasks = family.sample("train", settings.demos, settings.seed)
    made = collect_demonstrations(family, tasks, 1, 0.0, settings.seed)
    scenes, still = made.scenes(), np.zeros_like(made.applied[:, :, :1])
    states = problem.pack(scenes, np.concatenate([still, made.applied], axis=2))
    return Episodes(states[:, 0], made.actions[:, 0], contexts(tasks).astype(np.float32))


def _validate(run: Run, problem: PrivilegedProblem, settings: ExpertSettings, out: Path) -> dict[str, float]:
    """Judge the averaged actor on the fixed validation tasks; keep it if it is the best so far."""
    actor = {k: w.clone() for k, w in run.learner.average_actor.items()}
    expert = SacExpert(problem, actor)
    result = evaluate_expert(problem.family, expert, "val", settings.validation_tasks, seed=0)
    samples = run.replay.samples
    run.validation_steps += result.steps
    run.next_validation = samples + settings.validate_every
    run.streak = run.streak + 1 if result.success == 1.0 else 0
    if (result.success, -result.distance) > run.best:
        run.best = (result.success, -result.distance)
        save_expert(expert, out / BEST, seed=settings.seed, samples=samples, validation_success=result.success)
    record = {
        "success": result.success, "distance": result.distance, "best_success": run.best[0], "seconds": run.seconds,
        "cpu_seconds": run.cpu_seconds, "updates": float(run.learner.updates),
        **({} if run.losses is None else {k: float(v) for k, v in run.losses._asdict().items()}),
    }  # fmt: skip
    run.records.append({"samples": float(samples), **record})
    return record


def _finished(run: Run, settings: ExpertSettings, max_seconds: float) -> bool:
    return run.replay.samples >= settings.max_samples or run.seconds >= max_seconds


def _due(run: Run, last: bool) -> bool:
    """Whether to validate now; a finished run that is resumed has nothing new to validate."""
    samples = run.replay.samples
    judged = bool(run.records) and run.records[-1]["samples"] == samples
    return not judged and (last or samples >= run.next_validation)


def _good_enough(run: Run, settings: ExpertSettings) -> bool:
    return 0 < settings.good_enough <= run.streak


def _open(family: Family, problem: PrivilegedProblem, settings: ExpertSettings, out: Path, resume: bool) -> Run:
    capacity = settings.max_samples // family.horizon + settings.demos + settings.worlds
    generator = torch.Generator().manual_seed(settings.seed)
    learner = make_learner(problem.feature_size, problem.action_size, settings.sac, generator)
    run = Run(settings.seed, learner, Replay(problem, capacity), np.random.default_rng(settings.seed), generator)
    if (out / SETTINGS).is_file():
        if not resume:
            raise ConfigError(f"{out} already holds a run: say --resume to go on, or choose another --out")
        if config.load(ExpertSettings, out / SETTINGS) != settings:
            raise ConfigError(f"{out / SETTINGS} differs from the settings asked for: a run is resumed unchanged")
    elif resume:
        raise ConfigError(f"nothing to resume in {out}: it holds no {SETTINGS}")
    config.save(settings, out / SETTINGS)
    if (out / STATE).is_file():
        _load(run, out / STATE)
    elif settings.demos:
        run.replay.add_demonstrations(_demonstrate(family, problem, settings))
    return run


def _save(run: Run, out: Path) -> None:
    replay = run.replay
    saved = {
        "learner": snapshot(run.learner), "generator": run.generator.get_state(),
        "rng": json.dumps(run.rng.bit_generator.state), "records": run.records, "best": run.best,
        "counters": {name: getattr(run, name) for name in COUNTERS},
        "replay": {name: torch.from_numpy(getattr(replay, name)[: replay.size]) for name in Replay.ARRAYS},
        "demos": replay.demos, "added": replay.added,
    }  # fmt: skip
    torch.save(saved, out / (STATE + ".part"))
    (out / (STATE + ".part")).replace(out / STATE)


def _load(run: Run, path: Path) -> None:
    try:
        saved = torch.load(path, weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError) as error:
        raise CheckpointError(f"{path} is damaged ({error}): delete it to train from the start") from error
    restore(run.learner, saved["learner"])
    run.generator.set_state(saved["generator"])
    run.rng.bit_generator.state = json.loads(saved["rng"])
    run.records, run.best = saved["records"], tuple(saved["best"])
    for name in COUNTERS:
        setattr(run, name, saved["counters"][name])
    for name in Replay.ARRAYS:
        stored = saved["replay"][name].numpy()
        getattr(run.replay, name)[: len(stored)] = stored
    run.replay.demos, run.replay.added = saved["demos"], saved["added"]
