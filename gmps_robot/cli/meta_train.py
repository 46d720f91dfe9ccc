"""gmps meta-train: meta-train a policy in the twin from a recipe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro


@dataclass(frozen=True)
class MetaTrainOptions:
    """Meta-train a policy in the twin (demonstrations, warm-up, GMPS) and save a checkpoint directory.

    Example:
        gmps meta-train push-vision --seed 0 --out runs/push-vision-s0

    A stopped run goes on where it stopped when the same command is given again.
    """

    recipe: Annotated[str, tyro.conf.Positional]
    """A named recipe (gmps_robot/recipes: push-vision, push-state, ...) or a YAML file."""
    seed: int = 0
    """Training seed: goals, demonstrations, initial weights and exploration."""
    out: Path | None = None
    """Output folder; by default runs/RECIPE-sSEED."""
    tasks: int | None = None
    """Override the number of meta-training tasks."""
    iterations: int | None = None
    """Override the number of meta-iterations."""


def run(options: MetaTrainOptions) -> int:
    """Carry out the command; returns the exit code."""
    from dataclasses import replace

    from gmps_robot.learning.recipe import load_recipe
    from sim.training import train

    recipe = replace(load_recipe(options.recipe), seed=options.seed)
    if options.tasks is not None:
        recipe = replace(recipe, tasks=options.tasks)
    if options.iterations is not None:
        recipe = replace(recipe, gmps=replace(recipe.gmps, iterations=options.iterations))
    out = options.out or Path("runs") / f"{recipe.name}-s{recipe.seed}"
    with StageProgress() as progress:
        train(recipe, out, progress)
    _draw_curves(out)
    print(f"checkpoint: {out}\nevaluate it: gmps evaluate {out}")
    return 0


class StageProgress:
    """One rich progress bar per stage; plain lines where the output is not a terminal."""

    def __init__(self) -> None:
        """Set up the bars."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console()
        self._plain = not console.is_terminal
        self._bars = Progress(
            TextColumn("{task.description:16}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"), console=console, disable=self._plain,
        )  # fmt: skip
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> StageProgress:
        """Start drawing."""
        self._bars.start()
        return self

    def __exit__(self, *exc: object) -> None:
        """Stop drawing."""
        self._bars.stop()

    def __call__(self, stage: str, done: int, total: int, record: dict[str, float]) -> None:
        """Show that `stage` is at `done` of `total`."""
        note = " ".join(f"{key} {value:.4g}" for key, value in record.items())
        if self._plain:
            if "iteration" in record or done == total or done % 250 == 0:
                print(f"{stage} {done}/{total} {note}", flush=True)
            return
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=total, note="")
        self._bars.update(self._tasks[stage], completed=done, note=note)


def _draw_curves(out: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    from gmps_robot.tracking import read_metrics

    records = read_metrics(out)
    figure, axes = pyplot.subplots(figsize=(7, 4))
    for key in ("warmup", "imitation", "contextual"):
        points = [(r["step"], r[key]) for r in records if key in r]
        if points:
            axes.plot(*zip(*points, strict=True), label=key)
    axes.set(xlabel="outer step (warm-up before 0)", ylabel="imitation loss", yscale="log", title=out.name)
    axes.legend()
    figure.tight_layout()
    figure.savefig(out / "curves.png", dpi=120)
    pyplot.close(figure)
