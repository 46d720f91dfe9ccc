"""gmps evaluate: adapt a checkpoint to many held-out tasks and print the success table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

if TYPE_CHECKING:
    from gmps_robot.learning.inner import AdaptSettings
    from gmps_robot.policy import MetaPolicy
    from sim.evaluation import Evaluation


@dataclass(frozen=True)
class EvaluateOptions:
    """Adapt a checkpoint to held-out tasks, all at once in the twin, and report success after each update.

    Example:
        gmps evaluate push-vision --split test --goals 100 --episodes 20 --updates 3 --json result.json

    Success is the deterministic policy's block within 5 cm of the hidden goal at the end of the episode.
    """

    checkpoint: Annotated[str, tyro.conf.Positional]
    """A checkpoint directory, or the name of a shipped one such as push-vision."""
    split: Literal["train", "val", "test", "ood"] = "test"
    """Where the tasks come from; `test` goals are never used to choose anything."""
    goals: int = 100
    """How many tasks."""
    episodes: int = 20
    """Episodes per update (K)."""
    updates: int = 3
    """How many updates."""
    seed: int = 0
    """Draws the tasks and the exploration."""
    reward: Literal["dense", "sparse", "binary", "distance", "stars"] = "binary"
    """What an episode pays: one binary label at its end, as a person would give it, or a graded one."""
    adapt: Literal["recipe", "both", "fc", "latent", "head", "all", "none"] = "recipe"
    """Which parameters adapt; `recipe` is what the checkpoint was trained for."""
    latent_update: Literal["recipe", "log_mean", "softmax", "score_std", "gradient", "belief"] = "recipe"
    """How the latent centre moves."""
    head_step: float | None = None
    """Replace the learned step sizes of the FC layers by one number (a tuned policy-gradient step)."""
    step_scale: float | None = None
    """Multiply the learned step sizes of the FC layers."""
    decay: float | None = None
    """Exploration scale after each update."""
    variation: str | None = None
    """Change the twin, for example 'friction_scale=0.5' or 'camera_translation=0.02,0,0'."""
    json: Path | None = None
    """Write the result here."""
    figure: Path | None = None
    """Draw success and distance per update into this PNG."""


def run(options: EvaluateOptions) -> int:
    """Carry out the command; returns the exit code."""
    import json as json_module

    import torch
    from rich.console import Console
    from rich.progress import Progress

    from gmps_robot.checkpoint import load_checkpoint
    from gmps_robot.checkpoint_files import checkpoint_id, resolve_checkpoint
    from gmps_robot.config import to_dict
    from gmps_robot.families import family as family_by_name
    from gmps_robot.rig_match import trained_rig
    from sim.evaluation import evaluate
    from sim.randomize import parse_variation
    from sim.render.camera import rig_camera
    from sim.rollouts import VecSimulator

    torch.set_num_threads(1)  # more make no step faster, and results depend on how sums are split
    directory = resolve_checkpoint(options.checkpoint)
    policy = load_checkpoint(options.checkpoint)
    if options.head_step is not None:
        policy = _with_head_step(policy, options.head_step)
    family = family_by_name(policy.spec.family)
    variation = None if options.variation is None else parse_variation(options.variation)
    simulator = VecSimulator(family, variation=variation, camera=rig_camera(trained_rig(directory)))
    inner = settings(options, directory)
    console = Console()
    bar = Progress(console=console, disable=not console.is_terminal)
    update = bar.add_task("updates", total=options.updates + 1)

    def progress(done: int) -> None:
        bar.advance(update)
        if not console.is_terminal:
            print(f"evaluated update {done} of {options.updates}", flush=True)

    with bar:
        result = evaluate(
            policy,
            family,
            family.sample(options.split, options.goals, options.seed),
            simulator,
            inner,
            episodes=options.episodes,
            updates=options.updates,
            reward=options.reward,
            seed=options.seed,
            progress=progress,
        )
    show(result, options)
    if options.json is not None:
        given = {k: str(v) for k, v in vars(options).items() if v is not None}
        resolved = {"options": given, "adapt": to_dict(inner), "checkpoint_id": checkpoint_id(directory)}
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json_module.dumps({**result.table(), **resolved}, indent=1), encoding="utf-8")
    if options.figure is not None:
        draw(result, options.figure)
    return 0


def settings(options: EvaluateOptions, directory: Path) -> AdaptSettings:
    """The checkpoint's own inner loop, with what the options change."""
    from dataclasses import replace

    from gmps_robot import config
    from gmps_robot.learning.inner import AdaptSettings
    from gmps_robot.learning.recipe import Recipe

    path = directory / "recipe.yaml"
    base = config.load(Recipe, path).adapt if path.is_file() else AdaptSettings()
    changes: dict[str, object] = {}
    if options.adapt != "recipe":
        changes["adapt"] = options.adapt
    if options.latent_update != "recipe":
        changes["latent_update"] = options.latent_update
        if options.latent_update == "belief" and options.adapt == "recipe":
            changes["adapt"] = "latent"  # chosen latents confound the gradient of the head
    if options.step_scale is not None:
        changes["step_scale"] = options.step_scale
    if options.decay is not None:
        changes["latent_decay"] = options.decay
    if options.reward in ("distance", "dense", "sparse") and base.latent_update == "log_mean":
        changes.setdefault("latent_update", "softmax")  # log_mean needs returns that are not negative
    return replace(base, **changes)  # type: ignore[arg-type]


def show(result: Evaluation, options: EvaluateOptions) -> None:
    """Print the table."""
    from rich.console import Console
    from rich.table import Table

    goals = result.success.shape[1]
    table = Table(title=f"{options.checkpoint}: {options.split}, {goals} goals, {options.reward} reward")
    for heading in ("updates", "episodes", "success", "95 % interval", "within 3 cm", "mean distance"):
        table.add_column(heading, justify="right")
    numbers = result.table()
    for i, key in enumerate(numbers["success"]):  # type: ignore[arg-type,var-annotated]
        low, high = numbers["intervals"][key]  # type: ignore[index]
        table.add_row(
            key, str(i * result.episodes), f"{numbers['success'][key]:.2f}", f"{low:.2f} to {high:.2f}",  # type: ignore[index]
            f"{numbers['success_3cm'][key]:.2f}", f"{100 * numbers['distance_m'][key]:.1f} cm",  # type: ignore[index]
        )  # fmt: skip
    Console().print(table)


def draw(result: Evaluation, path: Path) -> None:
    """Success with Wilson intervals and mean distance against episodes, as a PNG."""
    import matplotlib
    import numpy as np

    matplotlib.use("Agg")
    from matplotlib import pyplot

    from gmps_robot.learning.statistics import wilson_interval

    goals = result.success.shape[1]
    rate = [wilson_interval(int(s.sum()), goals) for s in result.success]
    x = np.arange(len(rate)) * result.episodes
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.5))
    value = np.array([r.value for r in rate])
    spread = [value - [r.low for r in rate], [r.high for r in rate] - value]
    left.errorbar(x, value, yerr=spread, marker="o", capsize=3)
    left.set(xlabel="episodes on the new task", ylabel="success (5 cm)", ylim=(0, 1.02))
    right.plot(x, 100 * result.distance.mean(1), marker="o")
    right.set(xlabel="episodes on the new task", ylabel="mean distance [cm]", ylim=(0, None))
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def _with_head_step(policy: MetaPolicy, step: float) -> MetaPolicy:
    from dataclasses import replace

    import torch

    sizes = {k: torch.full_like(v, step) if k.startswith("fc") else v for k, v in policy.step_sizes.items()}
    return replace(policy, step_sizes=sizes)
