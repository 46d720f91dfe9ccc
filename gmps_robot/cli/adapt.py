"""gmps adapt: adapt a checkpoint to one task in the twin, without ROS."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from gmps_robot.errors import CheckpointError, ConfigError, TaskError

if TYPE_CHECKING:
    from rich.console import Console

    from gmps_robot.cli.adapt_twin import TwinSession
    from gmps_robot.control.report import AdaptReport
    from gmps_robot.control.session import AdaptationSession, SessionConfig
    from gmps_robot.families.family import Family
    from gmps_robot.policy import MetaPolicy
    from gmps_robot.tasks import Task

TASKS_PER_SPLIT = 100  # `task` counts within the list that `gmps evaluate` draws by default


@dataclass(frozen=True)
class AdaptOptions:
    """Meet one task that the policy has never seen: 20 episodes, one label each, one update, before and after.

    Example:
        gmps adapt push-vision --task 7 --episodes 20 --updates 1

    The same session that runs on the robot, here on the twin and in one process. Leaves result.json, summary.png,
    film.mp4 and the adapted checkpoint in the output folder.
    """

    checkpoint: Annotated[str, tyro.conf.Positional]
    """A checkpoint directory, or the name of a shipped one such as push-vision."""
    task: str = "0"
    """Number of the task within its split, or a task as JSON."""
    split: Literal["train", "val", "test", "ood"] = "test"
    """Where the task comes from; `test` goals are never used to choose anything."""
    episodes: int = 20
    """Episodes per update (K)."""
    updates: int = 1
    """How many updates."""
    evaluations: int = 5
    """Episodes before and after adaptation that show what it brought; not counted in K."""
    reward: Literal["twin", "human"] = "twin"
    """Who judges an episode: the twin, or you at this terminal."""
    grade: Literal["binary", "stars", "distance", "sparse", "dense"] = "binary"
    """What the twin's judgement looks like; a person always answers yes or no."""
    rig: str = "nominal"
    """The rig that the twin stands for: a name or YAML file. A checkpoint for another one is refused."""
    any_rig: bool = False
    """Take the checkpoint also where it was trained for another rig."""
    latent_update: Literal["recipe", "belief"] = "recipe"
    """`belief` chooses each episode by what its label tells and needs about 10; `recipe` is the policy gradient."""
    seed: int = 0
    """Draws the tasks and the exploration."""
    speed: Literal["max", "realtime"] = "max"
    """As fast as the machine goes, or at the pace of a real arm."""
    film: bool = True
    """Film one episode before and one after."""
    out: Path | None = None
    """Output folder; by default a new one under runs/adapt."""
    json: Path | None = None
    """Write the result here too."""


def run(options: AdaptOptions) -> int:
    """Carry out the command; returns the exit code: 1 when the session stopped early, 130 for Ctrl-C."""
    import time

    import torch
    from rich.console import Console

    from gmps_robot.checkpoint import load_checkpoint, resolve_checkpoint
    from gmps_robot.cli.adapt_twin import TwinSession
    from gmps_robot.control.report import write_result
    from gmps_robot.control.session import AdaptationSession
    from gmps_robot.data.adaptations import keep_adaptation
    from gmps_robot.data.catalog import Catalog
    from gmps_robot.families import family as family_by_name
    from gmps_robot.rig import load_rig
    from gmps_robot.rig_match import mismatch

    torch.set_num_threads(1)  # more threads only get in the way of a loop that handles one image at a time
    console = Console()
    policy, rig = load_checkpoint(options.checkpoint), load_rig(options.rig)
    different = mismatch(options.checkpoint, rig)
    if different and not options.any_rig:
        raise CheckpointError(f"{different}, or give --any-rig")
    family = family_by_name(policy.spec.family)
    task = find_task(options, family)
    settings = session_config(options)
    source = resolve_checkpoint(options.checkpoint)
    out = prepare_output(options, source.name, task.task_id, settings)

    def save(phi: MetaPolicy, update: int) -> None:
        save_phi(phi, update, source, out, task)

    session = AdaptationSession(policy, family, settings, clock=time.perf_counter, save=save)
    console.print(f"{source.name} meets {task.task_id}; results go to {out}", soft_wrap=True)
    twin = TwinSession(session, family, task, options, console, rig)
    code = twin.run()
    report = twin.report(str(in_force(session, source, out)))
    for path in filter(None, (out / "result.json", options.json)):
        write_result(report, path)
    with Catalog() as catalog:
        keep_adaptation(catalog, out, source, report.to_dict(), report.seconds, "twin")
    show(report, console)
    draw(report, twin, out, console)
    return code


def find_task(options: AdaptOptions, family: Family) -> Task:
    """Return the task that the options name.

    Raises:
        TaskError: no such task, or one of another family.
    """
    from gmps_robot.tasks import Task

    if options.task.lstrip().startswith("{"):
        task = Task.from_json(options.task)
        if task.family != family.name:
            raise TaskError(f"task {task.task_id} is of the family {task.family!r}, the checkpoint of {family.name!r}")
        return task
    tasks = family.sample(options.split, TASKS_PER_SPLIT, options.seed)
    if not options.task.isdecimal() or int(options.task) >= len(tasks):
        raise TaskError(
            f"task {options.task!r} of split {options.split!r}: expected a number from 0 to {len(tasks) - 1}, or JSON"
        )
    return tasks[int(options.task)]


def session_config(options: AdaptOptions) -> SessionConfig:
    """The session that the options describe, with the inner loop that the checkpoint was trained for."""
    from gmps_robot.checkpoint import resolve_checkpoint
    from gmps_robot.cli.evaluate import EvaluateOptions, settings
    from gmps_robot.control.session import SessionConfig

    grade = "binary" if options.reward == "human" else options.grade
    asked = EvaluateOptions(options.checkpoint, reward=grade, latent_update=options.latent_update)
    inner = settings(asked, resolve_checkpoint(options.checkpoint))
    return SessionConfig(options.episodes, options.updates, options.evaluations, seed=options.seed, adapt=inner)


def prepare_output(options: AdaptOptions, name: str, task_id: str, settings: SessionConfig) -> Path:
    """Make the output folder and save in it what this run depends on.

    Raises:
        ConfigError: it cannot be written to.
    """
    from gmps_robot import config

    out = options.out or _free(Path("runs") / "adapt" / f"{name}-{task_id}")
    try:
        config.save(options, out / "options.yaml")
        config.save(settings, out / "session.yaml")
    except OSError as error:
        raise ConfigError(f"cannot write to the output folder {out}: {error}; choose another with --out") from error
    return out


def save_phi(phi: MetaPolicy, update: int, source: Path, out: Path, task: Task) -> None:
    """Store an adapted policy as a checkpoint of its own, with where it comes from and how it adapts further."""
    import shutil

    from gmps_robot.checkpoint import save_checkpoint
    from gmps_robot.rig_match import RECIPE, RIG

    meta = {**phi.meta, "parent": str(source), "task": task.to_json(), "update": str(update)}
    directory = out / f"phi-{update}"
    save_checkpoint(replace(phi, meta=meta), directory)
    for name in (RECIPE, RIG):
        if (source / name).is_file():
            shutil.copyfile(source / name, directory / name)


def in_force(session: AdaptationSession, source: Path, out: Path) -> Path:
    """Where the policy lies that a robot should run now."""
    accepted = session.status.decision == "accepted"
    stored = sorted(out.glob("phi-*"), key=lambda path: int(path.name.removeprefix("phi-")))
    return stored[-1] if accepted and stored else source


def show(report: AdaptReport, console: Console) -> None:
    """Print the table."""
    from rich.table import Table

    from gmps_robot.control.report import summary_rows

    table = Table(title=f"adaptation to {report.task.task_id}")
    for heading in ("stage", "episodes", "success", "mean final distance"):
        table.add_column(heading, justify="left" if heading == "stage" else "right")
    for row in summary_rows(report):
        table.add_row(*row)
    console.print(table)
    console.print(report.status.message, soft_wrap=True)
    console.print(f"policy in force: {report.policy}", soft_wrap=True)


def draw(report: AdaptReport, twin: TwinSession, out: Path, console: Console) -> None:
    """Write picture and film; what cannot be made is said, the numbers are already stored."""
    from gmps_robot.control.film import side_by_side, write_film
    from gmps_robot.control.picture import draw_summary
    from gmps_robot.errors import SetupError

    draw_summary(report, out / "summary.png")
    console.print(f"picture: {out / 'summary.png'}", soft_wrap=True)
    before, after = twin.films
    if not before or not after:
        return
    captions = ("before adaptation", f"after {len(report.status.returns)} labelled episodes")
    try:
        write_film(side_by_side(before, after, captions), out / "film.mp4", twin.rate)
        console.print(f"film: {out / 'film.mp4'}", soft_wrap=True)
    except SetupError as error:
        console.print(f"no film: {error}")


def _free(path: Path) -> Path:
    """`path`, or the first of path-2, path-3 ... that does not exist: no run overwrites another."""
    candidate, number = path, 1
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.name}-{number}")
    return candidate

