"""gmps meta-train: meta-train a policy in the twin from a recipe."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

if TYPE_CHECKING:
    from gmps_robot.data.catalog import Catalog
    from gmps_robot.data.demonstrations import Demonstrated
    from gmps_robot.learning.recipe import Recipe
    from gmps_robot.rig import RigCalibration


FOLDER = "folder:"


@dataclass(frozen=True)
class MetaTrainOptions:
    """Meta-train a policy in the twin (demonstrations, warm-up, GMPS) and save a checkpoint directory.

    Example:
        gmps meta-train push-vision --seed 0 --out runs/push-vision-s0
        gmps meta-train push-vision --demos catalog:push

    A stopped run goes on where it stopped when the same command is given again.
    """

    recipe: Annotated[str, tyro.conf.Positional]
    """A named recipe (gmps_robot/recipes: push-vision, push-state, ...) or a YAML file."""
    seed: int = 0
    """Training seed: goals, demonstrations, initial weights and exploration."""
    out: Path | None = None
    """Output folder; by default runs/RECIPE-sSEED."""
    demos: str = "expert"
    """Who demonstrates: `expert`, the twin's scripted one; `catalog:FAMILY`, people: the accepted demonstrations in the
    catalogue, also narrowed as in `catalog:push,operator=ada,rig=nominal`; `folder:DIR`, whoever `gmps collect-demos`
    asked, an expert of `gmps train-expert` too; with `+expert` behind these, both."""
    data: Path | None = None
    """The data directory with the catalogue; by default GMPS_DATA, else ./data."""
    rig: str = "nominal"
    """The rig whose camera the policy will see through: a name or YAML file, as gmps calibrate apply writes it."""
    tasks: int | None = None
    """Override the number of meta-training tasks."""
    iterations: int | None = None
    """Override the number of meta-iterations."""


def run(options: MetaTrainOptions) -> int:
    """Carry out the command; returns the exit code."""
    from dataclasses import replace

    from gmps_robot.config import to_dict
    from gmps_robot.data.catalog import Catalog
    from gmps_robot.data.runs import written_down
    from gmps_robot.learning.recipe import load_recipe
    from gmps_robot.rig import load_rig
    from sim.training import claim, train

    recipe = replace(load_recipe(options.recipe), seed=options.seed)
    if options.tasks is not None:
        recipe = replace(recipe, tasks=options.tasks)
    if options.iterations is not None:
        recipe = replace(recipe, gmps=replace(recipe.gmps, iterations=options.iterations))
    rig = load_rig(options.rig)
    with Catalog(options.data) as catalog:
        recipe, shown = _with_people(recipe, options.demos, catalog, rig.rig_id)
        out = options.out or Path("runs") / _name(recipe, rig)
        claim(recipe, out, rig)
        written = written_down(
            catalog, "meta", out.name, out, to_dict(recipe), recipe.seed, recipe.demonstrations.dataset
        )
        with written, StageProgress() as progress:
            gc.freeze()  # what the libraries have made lives as long as the process: no step need look through it
            train(recipe, out, progress, shown, rig)
    _draw_curves(out)
    print(f"checkpoint: {out}\nevaluate it: gmps evaluate {out}")
    return 0


def _with_people(
    recipe: Recipe, demos: str, catalog: Catalog, rig: str
) -> tuple[Recipe, Demonstrated | None]:
    """The recipe for the demonstrations asked for; says what was shown and what is missing."""
    if demos == "expert":  # needs nothing that reads recorded episodes
        return recipe, None
    from sim.demonstration_sources import from_people

    read = _in_folder if demos.startswith(FOLDER) else _of_people
    shown = read(recipe, demos, catalog, rig)
    steps, episodes = (sum(getattr(task, name) for task in shown.tasks) for name in ("steps", "episodes"))
    print(f"{episodes} demonstrations of {len(shown.tasks)} tasks, {steps} control steps; data set {shown.dataset}")
    expert = demos.endswith("+expert")
    if shown.missing:
        names = ", ".join(task.task_id for task in shown.missing[:5])
        more = f" and {len(shown.missing) - 5} more" if len(shown.missing) > 5 else ""
        print(f"without any accepted demonstration: {names}{more}{'' if expert else '; trained without them'}")
    if not expert:
        print("no expert relabels what the policy does: nothing is aggregated (add +expert for that)")
    return from_people(recipe, demos, shown, expert=expert), shown


def _of_people(recipe: Recipe, demos: str, catalog: Catalog, rig: str) -> Demonstrated:
    from gmps_robot.data.demonstrations import load, parse
    from gmps_robot.families import family as family_by_name

    return load(catalog, parse(demos), family_by_name(recipe.family), recipe.kind, demos, rig)


def _in_folder(recipe: Recipe, demos: str, catalog: Catalog, rig: str) -> Demonstrated:
    from gmps_robot.data.demonstrations import Demonstrated
    from gmps_robot.data.models import Dataset
    from gmps_robot.errors import ConfigError
    from gmps_robot.families import family as family_by_name
    from gmps_robot.rig import NOMINAL
    from sim.demonstration_files import shown_in

    folder = Path(demos.removeprefix(FOLDER).removesuffix("+expert"))
    if recipe.kind == "vision" and rig != NOMINAL:
        raise ConfigError(f"--demos {demos}: its pictures are of the nominal rig, not of {rig}; take --demos expert")
    tasks, digest = shown_in(folder, family_by_name(recipe.family), recipe.kind)
    if catalog.find(Dataset, digest) is None:
        catalog.put(Dataset(id=digest, query=demos, episodes=[], created_ns=catalog.now_ns()))
    return Demonstrated(tasks, digest, ())


def _name(recipe: Recipe, rig: RigCalibration) -> str:
    """Of the output folder, as it is by default."""
    source = recipe.demonstrations.source
    who = "folder" if source.startswith(FOLDER) else "people"
    people = "" if source == "expert" else f"-{'mixed' if '+' in source else who}"
    where = "" if rig.rig_id == "nominal" else f"-{rig.name}"
    return f"{recipe.name}{people}{where}-s{recipe.seed}"


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
