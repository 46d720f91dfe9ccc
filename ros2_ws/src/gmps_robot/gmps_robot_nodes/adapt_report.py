"""What a session leaves in its folder: numbers after every episode, then a picture and a film."""

from __future__ import annotations

import ctypes
import gc
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import simplejpeg

from gmps_robot import config
from gmps_robot.checkpoint import resolve_checkpoint, save_checkpoint
from gmps_robot.control.film import side_by_side, write_film
from gmps_robot.control.picture import draw_summary
from gmps_robot.control.report import AdaptReport, write_result
from gmps_robot.control.session import SessionConfig
from gmps_robot.errors import CatalogError, ConfigError, SetupError
from gmps_robot.families.family import Family
from gmps_robot.learning.inner import AdaptSettings
from gmps_robot.learning.recipe import Recipe
from gmps_robot.policy import MetaPolicy
from gmps_robot.rig_match import RECIPE, RIG
from gmps_robot.tasks import Task
from gmps_robot.types import ImageArray
from gmps_robot_nodes.adapt_run import AdaptRun
from gmps_robot_nodes.conversions import FILM_EVERY

if TYPE_CHECKING:
    from gmps_robot.data.models import Mode

_LIBC = ctypes.CDLL(None)
MODES: Mapping[str, Mode] = {"twin": "twin", "emulator": "emulator", "sawyer": "robot"}


class SessionFolder:
    """The folder of one session."""

    def __init__(self, out: Path, task: Task, checkpoint: str, settings: SessionConfig, family: Family) -> None:
        """Make the folder and save in it what the session depends on.

        Raises:
            ConfigError: it cannot be written to.
            CheckpointError: there is no such checkpoint.
        """
        self._task, self._family = task, family
        self._source = resolve_checkpoint(checkpoint)
        self._began = time.monotonic()
        self.path = out / f"{time.strftime('%Y%m%d-%H%M%S')}-{self._source.name}-{task.task_id}"
        try:
            config.save(settings, self.path / "session.yaml")
        except OSError as error:
            raise ConfigError(f"cannot write to the output folder {self.path}: {error}; choose another") from error

    def save_phi(self, phi: MetaPolicy, update: int) -> None:
        """Store an adapted policy as a checkpoint of its own, with where it comes from and how it adapts further."""
        meta = {**phi.meta, "parent": str(self._source), "task": self._task.to_json(), "update": str(update)}
        directory = self.path / f"phi-{update}"
        save_checkpoint(replace(phi, meta=meta), directory)
        for name in (RECIPE, RIG):
            if (self._source / name).is_file():
                shutil.copyfile(self._source / name, directory / name)

    def write_numbers(self, run: AdaptRun) -> None:
        """Write result.json as things stand; raises OSError when there is no room."""
        write_result(self._report(run), self.path / "result.json")

    def write_pictures(self, run: AdaptRun) -> list[str]:
        """Write summary.png and, when there are pictures, film.mp4; return what could not be made, and why."""
        problems = []
        try:
            draw_summary(self._report(run), self.path / "summary.png")
            before, after = (_frames(run.films.get(stage, [])) for stage in ("before", "after"))
            if before and after:
                captions = ("before adaptation", f"after {len(run.session.status.returns)} labelled episodes")
                rate = self._family.control_hz / FILM_EVERY
                write_film(side_by_side(before, after, captions), self.path / "film.mp4", rate)
        except (SetupError, ConfigError, OSError) as error:
            problems.append(str(error))
        return problems

    def write_remains(self, run: AdaptRun, robot: str) -> list[str]:
        """Write pictures and the session's rows of the catalogue; return what could not be made, and why."""
        problems = [*self.write_pictures(run), *self._write_down(run, robot)]
        gc.collect()  # sessions are cycles of references, megabytes large, that else wait for the next ones
        _LIBC.malloc_trim(0)  # and glibc keeps what is free
        return problems

    def _write_down(self, run: AdaptRun, robot: str) -> list[str]:
        # A second to import, which a node that is being started should not wait for.
        from gmps_robot.data.adaptations import keep_adaptation
        from gmps_robot.data.catalog import Catalog

        report, mode = self._report(run), MODES[robot]
        try:
            with Catalog() as catalog:
                keep_adaptation(catalog, self.path, self._source, report.to_dict(), report.seconds, mode)
        except (CatalogError, OSError) as error:
            return [str(error)]
        return []

    def _report(self, run: AdaptRun) -> AdaptReport:
        status = run.session.status
        stored = sorted(self.path.glob("phi-*"), key=lambda path: int(path.name.removeprefix("phi-")))
        in_force = stored[-1] if status.decision == "accepted" and stored else self._source
        return AdaptReport(
            self._task, status, self._family.success_radius, run.paths.paths, time.monotonic() - self._began,
            str(in_force), {"reward": run.reward, "task_json": self._task.to_json()},
        )  # fmt: skip


def inner_loop(checkpoint: str) -> AdaptSettings:
    """Return the inner loop that the checkpoint was trained for; the default when it does not say.

    Raises:
        CheckpointError: there is no such checkpoint.
    """
    recipe = resolve_checkpoint(checkpoint) / RECIPE
    return config.load(Recipe, recipe).adapt if recipe.is_file() else AdaptSettings()


def _frames(pictures: Sequence[bytes]) -> list[ImageArray]:
    return [np.asarray(simplejpeg.decode_jpeg(picture, colorspace="RGB")) for picture in pictures]
