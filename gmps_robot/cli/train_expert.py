"""gmps train-expert: train a contextual SAC expert in the twin, or evaluate the scripted one beside it."""

from __future__ import annotations

import json as json_module
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

if TYPE_CHECKING:
    from gmps_robot.families.family import Family
    from sim.expert_training import Evaluation, ExpertSettings, Run
    from sim.experts import Expert

TEST_SEED = 0  # the held-out tasks are the same for every expert


@dataclass(frozen=True)
class TrainExpertOptions:
    """Train one policy for all tasks of a family on privileged state (soft actor-critic), then test it.

    Example:
        gmps train-expert push --seed 0 --out runs/expert/push-s0 --json runs/expert/push-s0.json

    Every control step the learner sees counts as a sample, demonstrations included. The checkpoint is chosen on fixed
    validation tasks; success is the block within 5 cm of the goal at the end of the episode, on held-out test tasks.
    """

    family: Annotated[str, tyro.conf.Positional]
    """Task family, such as push."""
    scripted: bool = False
    """Train nothing: evaluate the family's scripted expert on the same test tasks."""
    seed: int = 0
    """Training seed: weights, tasks, exploration."""
    demos: int | None = None
    """Scripted demonstrations that start in the replay (default 30); 0 learns without any."""
    max_minutes: float = 30.0
    """Stop after this much wall clock, earlier sessions of a resumed run included."""
    max_samples: int | None = None
    """Stop after so many control steps, demonstrations included."""
    config: Path | None = None
    """YAML with any field of sim.expert_training.ExpertSettings; the options above win over it."""
    out: Path | None = None
    """Output folder; by default runs/expert/FAMILY-sSEED."""
    resume: bool = False
    """Go on with the run in the output folder."""
    test_tasks: int = 100
    """Held-out test tasks of the final evaluation."""
    json: Path | None = None
    """Write the result here."""


def run(options: TrainExpertOptions) -> int:
    """Carry out the command; returns the exit code."""
    from gmps_robot.config import to_dict
    from gmps_robot.data.catalog import Catalog
    from gmps_robot.data.runs import written_down
    from gmps_robot.families import family as family_by_name
    from sim.expert_training import BEST
    from sim.experts import load_expert

    family = family_by_name(options.family)
    if options.scripted:
        report = _evaluate(family, load_expert("scripted", family), options)
    else:
        settings = _settings(options, family)
        out = options.out or Path("runs") / "expert" / f"{family.name}-s{settings.seed}"
        with Catalog() as catalog, written_down(catalog, "expert", out.name, out, to_dict(settings), settings.seed):
            trained = _train(family, settings, out, options)
        report = {**_evaluate(family, load_expert(str(out / BEST), family), options), **_costs(trained, family)}
        _draw_curve(trained, out, report["success"])
        print(f"expert: {out / BEST}\nuse it: gmps collect-demos {family.name} --expert {out / BEST}")
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json_module.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


def _settings(options: TrainExpertOptions, family: Family) -> ExpertSettings:
    from dataclasses import replace

    from gmps_robot import config
    from sim.expert_training import ExpertSettings

    base = ExpertSettings() if options.config is None else config.load(ExpertSettings, options.config)
    given = {"demos": options.demos, "max_samples": options.max_samples}
    changes: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    return replace(base, family=family.name, seed=options.seed, **changes)


def _train(family: Family, settings: ExpertSettings, out: Path, options: TrainExpertOptions) -> Run:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from sim.expert_training import train_expert

    console = Console()
    bar = Progress(
        TextColumn("{task.completed:>7.0f} / {task.total:.0f} samples"), BarColumn(), TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"), console=console, disable=not console.is_terminal,
    )  # fmt: skip
    shown = 0
    with bar:
        task = bar.add_task("", total=settings.max_samples, note="")

        def show(run: Run) -> None:
            """Move the bar; print the record when there is a new one."""
            nonlocal shown
            bar.update(task, completed=run.replay.samples)
            if len(run.records) == shown:
                return
            shown, last = len(run.records), run.records[-1]
            note = f"validation {last['success']:.2f}, {100 * last['distance']:.1f} cm; best {last['best_success']:.2f}"
            bar.update(task, note=note)
            if not console.is_terminal:
                print(f"{run.replay.samples} samples, {run.seconds:.0f} s: {note}", flush=True)

        return train_expert(
            family, settings, out, max_seconds=60 * options.max_minutes, resume=options.resume, on_progress=show
        )


def _evaluate(family: Family, expert: Expert, options: TrainExpertOptions) -> dict[str, Any]:
    """Test `expert` on held-out tasks and print the row."""
    from gmps_robot.learning.statistics import success_rate
    from sim.expert_training import evaluate_expert

    started = time.monotonic()
    result: Evaluation = evaluate_expert(family, expert, "test", options.test_tasks, TEST_SEED)
    rate = success_rate(result.successes)
    print(
        f"{expert.name} expert, {options.test_tasks} test tasks: success {rate.value:.3f} "
        f"(95 % interval {rate.low:.3f} to {rate.high:.3f}), final distance {100 * result.distance:.2f} cm mean, "
        f"{100 * max(result.distances):.2f} cm max"
    )
    return {
        "expert": expert.name, "family": family.name, "split": "test", "tasks": options.test_tasks,
        "success": rate.value, "interval": [rate.low, rate.high], "distance_m": result.distance,
        "distance_max_m": max(result.distances), "evaluation_seconds": time.monotonic() - started,
    }  # fmt: skip


def _costs(trained: Run, family: Family) -> dict[str, Any]:
    best = max(trained.records, key=lambda r: (r["success"], -r["distance"]))
    costs = {
        "seed": trained.seed, "samples": trained.replay.samples, "samples_to_best": int(best["samples"]),
        "demonstration_samples": trained.replay.demos * family.horizon, "validation_steps": trained.validation_steps,
        "updates": trained.learner.updates, "minutes": trained.seconds / 60, "cpu_minutes": trained.cpu_seconds / 60,
    }  # fmt: skip
    print(
        f"samples {costs['samples']} ({costs['demonstration_samples']} of them demonstrations; best checkpoint at "
        f"{costs['samples_to_best']}), {costs['minutes']:.1f} min, {costs['cpu_minutes']:.1f} CPU-min; "
        f"validation took {costs['validation_steps']} further steps"
    )
    return costs


def _draw_curve(trained: Run, out: Path, test_success: float) -> None:
    """Validation success and final distance against samples, as `curve.png`."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    samples = [r["samples"] for r in trained.records]
    figure, axes = pyplot.subplots(figsize=(7, 4))
    axes.plot(samples, [r["success"] for r in trained.records], label="validation success")
    axes.axhline(test_success, color="grey", linestyle=":", label="best checkpoint, test success")
    axes.set(xlabel="control steps, demonstrations included", ylabel="success", ylim=(0, 1.02), title=str(out.name))
    right = axes.twinx()
    right.plot(samples, [100 * r["distance"] for r in trained.records], color="tab:orange", label="final distance")
    right.set(ylabel="validation final distance [cm]", ylim=(0, None))
    figure.legend(loc="center right", bbox_to_anchor=(0.88, 0.5))
    figure.tight_layout()
    figure.savefig(out / "curve.png", dpi=120)
    pyplot.close(figure)
