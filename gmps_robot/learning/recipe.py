"""A recipe: everything one meta-training run depends on, in one frozen record that is saved beside its results."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from gmps_robot import config
from gmps_robot.errors import ConfigError, nearest
from gmps_robot.learning.gmps import GmpsSettings
from gmps_robot.learning.inner import AdaptSettings
from gmps_robot.learning.outer import OuterSettings
from gmps_robot.learning.warmup import WarmupSettings

RECIPES = Path(__file__).parent.parent / "recipes"


@dataclass(frozen=True)
class DemonstrationSettings:
    """Where demonstrations come from: the twin's expert on perturbed episodes (the first two), people, or both."""

    per_task: int = 20
    noise: float = 0.3  # the noisiest demonstration of each task; the first has none
    source: str = "expert"  # as `gmps meta-train --demos` has it
    dataset: str = ""  # of people: the data set's id in the catalogue


@dataclass(frozen=True)
class Recipe:
    """One meta-training run. YAML files in gmps_robot/recipes hold the named ones."""

    name: str
    kind: Literal["state", "vision"] = "state"
    family: str = "push"
    seed: int = 0
    tasks: int = 20  # meta-training tasks
    reward: Literal["dense", "sparse", "binary", "distance", "stars"] = "binary"  # of the inner loop
    latent_size: int = 3
    latent_centre: float = 0.0  # initial latent centre; the published constant latent starts at 1
    log_std: float = -1.6  # initial action noise
    head_step: float = 0.003  # initial alpha of the FC layers
    latent_step: float = 1.0  # initial alpha of the latent
    randomise: dict[str, tuple[float, ...]] = field(default_factory=dict)  # half-widths, per training episode
    demonstrations: DemonstrationSettings = field(default_factory=DemonstrationSettings)
    warmup: WarmupSettings = field(default_factory=WarmupSettings)
    gmps: GmpsSettings = field(default_factory=GmpsSettings)
    outer: OuterSettings = field(default_factory=OuterSettings)
    adapt: AdaptSettings = field(default_factory=AdaptSettings)
    note: str = ""  # what this recipe is, in one sentence


def load_recipe(name_or_path: str) -> Recipe:
    """Read a recipe by name, or from a YAML file.

    Raises:
        ConfigError: no such recipe, or an unknown key in it.
    """
    for path in (Path(name_or_path), RECIPES / f"{name_or_path}.yaml"):
        if path.is_file():
            return config.load(Recipe, path)
    known = sorted(p.stem for p in RECIPES.glob("*.yaml"))
    raise ConfigError(f"no recipe {name_or_path!r}{nearest(name_or_path, known)}")
