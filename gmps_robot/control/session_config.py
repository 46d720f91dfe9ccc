"""The settings of an adaptation session."""

from __future__ import annotations

from dataclasses import dataclass, field

from gmps_robot.errors import ConfigError
from gmps_robot.learning.inner import AdaptSettings


@dataclass(frozen=True)
class SessionConfig:
    """How many episodes of each kind, and how the policy adapts."""

    episodes: int = 20  # K, labelled episodes before each update
    updates: int = 1
    evaluation_episodes: int = 5  # before and after; deterministic, not counted in K; 0 for none
    seed: int = 0  # of exploration
    keep_images: bool = False  # store every image with its step (9 kB each)
    adapt: AdaptSettings = field(default_factory=AdaptSettings)

    def __post_init__(self) -> None:
        """Check the counts.

        Raises:
            ConfigError: a count is too small.
        """
        for name, lowest in (("episodes", 2), ("updates", 1), ("evaluation_episodes", 0)):
            if getattr(self, name) < lowest:
                raise ConfigError(f"session: {name} = {getattr(self, name)}, must be at least {lowest}")
