"""What may differ from the nominal rig: camera pose, friction, mass, action gain, tip offset, block start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import mujoco as mj
import numpy as np
from mujoco.batch import Batch
from numpy.typing import NDArray

from gmps_robot.errors import ConfigError, nearest
from gmps_robot.types import FloatArray
from sim.render.camera import Camera

VALUE_SIZES = {
    "camera_translation": 3, "camera_rotation": 3, "friction_scale": 1, "mass_scale": 1, "action_gain": 1,
    "tip_offset": 3, "block_jitter": 1,
}
Value = float | tuple[float, ...] | FloatArray
_ZERO = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Variation:
    """Differences from the nominal rig: one value for all worlds, or an array with one row per world."""

    camera_translation: Value = _ZERO  # (3,) or (n, 3), in the base frame [m]
    camera_rotation: Value = _ZERO  # (3,) or (n, 3) rotation vector in the camera's optical frame [rad]
    friction_scale: Value = 1.0  # () or (n,), of object and table
    mass_scale: Value = 1.0  # () or (n,), of the object
    action_gain: Value = 1.0  # () or (n,): the arm takes an action for this much more; the limits come after it
    tip_offset: Value = _ZERO  # (3,) or (n, 3), added to the reported tip [m]
    block_jitter: Value = 0.0  # () or (n,): the object starts up to this far from its place, along x and y [m]

    def spread(self, n: int) -> WorldVariation:
        """Return one row per world.

        Raises:
            ConfigError: a value has the wrong size, is not finite, or a scale is not positive.
        """
        rows = {f.name: _rows(f.name, getattr(self, f.name), n) for f in fields(self)}
        return WorldVariation(**rows)


@dataclass(frozen=True)
class WorldVariation:
    """A `Variation` with one row for each of n worlds."""

    camera_translation: FloatArray  # (n, 3)
    camera_rotation: FloatArray  # (n, 3)
    friction_scale: FloatArray  # (n,)
    mass_scale: FloatArray  # (n,)
    action_gain: FloatArray  # (n,)
    tip_offset: FloatArray  # (n, 3)
    block_jitter: FloatArray  # (n,)

    def apply(self, batch: Batch) -> None:
        """Give each world of `batch` its friction and mass."""
        object_body, object_geom = _id(batch, "body"), _id(batch, "geom")
        if (self.friction_scale != 1.0).any():
            friction = batch.expand("geom_friction")
            for geom in (object_geom, _id(batch, "geom", "table")):
                friction[:, geom] *= self.friction_scale[:, None]
        if (self.mass_scale != 1.0).any():
            batch.expand("body_mass")[:, object_body] *= self.mass_scale
            batch.expand("body_inertia")[:, object_body] *= self.mass_scale[:, None]
            batch.set_const()

    def object_offsets(self, seeds: Sequence[int], worlds: NDArray[np.int64]) -> FloatArray:
        """Draw where the objects of `worlds` (k,) start, (k, 2) [m]; a world's draw depends on its own seed alone."""
        draws = [np.random.default_rng(np.random.SeedSequence(seed)).uniform(-1.0, 1.0, 2) for seed in seeds]
        return np.array(draws).reshape(-1, 2) * self.block_jitter[worlds, None]

    def camera_poses(self, camera: Camera) -> tuple[FloatArray, FloatArray]:
        """Positions (c, 3) and rotations (c, 3, 3) of the worlds' cameras; c is 1 where they all agree, else n."""
        moves = np.concatenate([self.camera_translation, self.camera_rotation], axis=1)
        if (moves == moves[0]).all():
            moves = moves[:1]
        turns = np.stack([rotation_from_vector(vector) for vector in moves[:, 3:]])
        return camera.position_array + moves[:, :3], camera.rotation_matrix @ turns


def sample_variations(rng: np.random.Generator, n: int, ranges: Mapping[str, tuple[Value, Value]]) -> Variation:
    """Draw a variation of `n` worlds, uniform between the (low, high) of each name in `ranges`; others stay nominal.

    Raises:
        ConfigError: an unknown name, or a low that is above its high.
    """
    drawn: dict[str, FloatArray] = {}
    for name, (low, high) in ranges.items():
        if name not in VALUE_SIZES:
            raise ConfigError(f"unknown variation {name!r}{nearest(name, VALUE_SIZES)}")
        size = VALUE_SIZES[name]
        lows, highs = np.broadcast_to(low, (size,)), np.broadcast_to(high, (size,))
        if (lows > highs).any():
            raise ConfigError(f"variation {name}: low {low} is above high {high}")
        values = rng.uniform(lows, highs, (n, size))
        drawn[name] = values if size > 1 else values[:, 0]
    return replace(Variation(), **drawn)


def around_nominal(rng: np.random.Generator, n: int, half_widths: Mapping[str, tuple[float, ...]]) -> Variation:
    """Draw a variation of `n` worlds, uniform within `half_widths` of the nominal value of each name.

    Raises:
        ConfigError: an unknown name, a wrong count of numbers, or a negative one.
    """
    nominal = Variation()
    ranges: dict[str, tuple[Value, Value]] = {}
    for name, width in half_widths.items():
        if name in VALUE_SIZES and len(width) != VALUE_SIZES[name]:
            raise ConfigError(f"variation {name} takes {VALUE_SIZES[name]} half-widths, got {width}")
        middle = np.asarray(getattr(nominal, name, 0.0), dtype=np.float64)
        ranges[name] = (np.atleast_1d(middle - np.array(width)), np.atleast_1d(middle + np.array(width)))
    return sample_variations(rng, n, ranges)


def rotation_from_vector(vector: FloatArray) -> FloatArray:
    """Return the rotation matrix (3, 3) of a rotation vector (3,) [rad] (Rodrigues)."""
    quaternion, matrix = np.empty(4), np.empty(9)
    angle = float(np.linalg.norm(vector))
    mj.mju_axisAngle2Quat(quaternion, vector / angle if angle > 0.0 else np.array([0.0, 0.0, 1.0]), angle)
    mj.mju_quat2Mat(matrix, quaternion)
    return matrix.reshape(3, 3)


def _rows(name: str, value: Value, n: int) -> FloatArray:
    size = VALUE_SIZES[name]
    array = np.asarray(value, dtype=np.float64)
    shape = (n,) if size == 1 else (n, size)
    if array.shape not in ((() if size == 1 else (size,)), shape):
        raise ConfigError(f"variation {name} has shape {array.shape}; {n} worlds take {shape[1:]} or {shape}")
    if not np.isfinite(array).all() or (name.endswith(("_scale", "_gain")) and (array <= 0.0).any()):
        raise ConfigError(f"variation {name} = {array.tolist()} must be finite, and scales and gains above zero")
    return np.array(np.broadcast_to(array, shape))


def _id(batch: Batch, kind: str, name: str = "object") -> int:
    return int(getattr(batch.get_model(0), kind)(name).id)


def parse_variation(text: str) -> Variation:
    """Read `name=value` pairs separated by semicolons, such as "friction_scale=0.5;camera_translation=0.02,0,0".

    Raises:
        ConfigError: an unknown name, a missing value, or a wrong count of numbers.
    """
    values: dict[str, Value] = {}
    for pair in text.split(";"):
        name, equals, numbers = pair.strip().partition("=")
        if name not in VALUE_SIZES:
            raise ConfigError(f"unknown variation {name!r}{nearest(name, VALUE_SIZES)}")
        try:
            parsed = tuple(float(number) for number in numbers.split(","))
        except ValueError as error:
            raise ConfigError(f"variation {name}: {numbers!r} is not a list of numbers") from error
        if not equals or len(parsed) != VALUE_SIZES[name]:
            raise ConfigError(f"variation {name} takes {VALUE_SIZES[name]} numbers, got {numbers!r}")
        values[name] = parsed if VALUE_SIZES[name] > 1 else parsed[0]
    return replace(Variation(), **values)
