"""gmps collect-demos: demonstrations of an expert in the twin, with noise, labelled at every step."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro


@dataclass(frozen=True)
class CollectDemosOptions:
    """Roll out an expert with growing noise and store its own action as the label of every step.

    Example:
        gmps collect-demos push --tasks 20 --per-task 20 --noise 0.3 --images --out runs/demos/push-s0

    Writes one compressed .npz per task and manifest.json. Every simulated step is counted, those of failed
    demonstrations included.
    """

    family: Annotated[str, tyro.conf.Positional]
    """Task family, such as push."""
    expert: str = "scripted"
    """`scripted`, or the folder of an expert that `gmps train-expert` saved."""
    tasks: int = 20
    """How many tasks."""
    per_task: int = 20
    """Demonstrations per task; the first is without noise, the last has the most."""
    noise: float = 0.3
    """Standard deviation of the white noise, and of the bias that is redrawn every 10 steps, in action units."""
    split: Literal["train", "val", "test", "ood"] = "train"
    """Where the tasks come from."""
    seed: int = 0
    """Draws the tasks and the noise."""
    images: bool = False
    """Also store what the policy's camera sees."""
    keep_failures: bool = False
    """Store demonstrations that miss their task as well."""
    out: Path | None = None
    """Output folder; by default runs/demos/FAMILY-SPLIT-sSEED."""
    json: Path | None = None
    """Also write the manifest here."""


def run(options: CollectDemosOptions) -> int:
    """Carry out the command; returns the exit code."""
    from rich.console import Console
    from rich.progress import Progress

    from gmps_robot.families import family as family_by_name
    from sim.demonstration_files import claim_folder, save_demonstrations
    from sim.demonstrations import collect_demonstrations
    from sim.experts import load_expert

    family = family_by_name(options.family)
    expert = load_expert(options.expert, family)
    out = options.out or Path("runs") / "demos" / f"{family.name}-{options.split}-s{options.seed}"
    claim_folder(out)
    tasks = family.sample(options.split, options.tasks, options.seed)
    console = Console()
    with Progress(console=console, disable=not console.is_terminal) as bar:
        steps = bar.add_task("control steps", total=options.tasks * options.per_task * family.horizon)
        made = collect_demonstrations(
            family, tasks, options.per_task, options.noise, options.seed, expert, options.images,
            on_step=lambda done: bar.update(steps, completed=done),
        )  # fmt: skip
    settings: dict[str, Any] = {key: value for key, value in vars(options).items() if key not in ("out", "json")}
    manifest = save_demonstrations(made, out, settings, keep_failures=options.keep_failures)
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text((out / "manifest.json").read_text(encoding="utf-8"), encoding="utf-8")
    print(
        f"{manifest['kept']} of {manifest['collected']} demonstrations kept (success {manifest['success']:.3f}) for "
        f"{options.tasks} tasks, {manifest['samples']} control steps: {out}"
    )
    return 0
