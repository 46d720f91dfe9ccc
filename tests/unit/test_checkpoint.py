"""Checkpoints and configuration: what goes in comes out, and what is wrong is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gmps_robot import config
from gmps_robot.checkpoint import load_checkpoint, save_checkpoint
from gmps_robot.errors import CheckpointError, ConfigError
from gmps_robot.learning.recipe import Recipe, load_recipe
from gmps_robot.policy import MetaPolicy, PolicySpec, init_fast, init_slow


@pytest.fixture
def policy() -> MetaPolicy:
    spec, generator = PolicySpec("vision"), torch.Generator().manual_seed(0)
    fast = init_fast(spec, generator, -1.6)
    return MetaPolicy(spec, init_slow(spec, generator), fast, {k: 0.1 * torch.ones_like(v) for k, v in fast.items()},
                      latent_std=0.5, meta={"seed": "3"})  # fmt: skip


def test_a_checkpoint_comes_back_bit_identical(policy: MetaPolicy, tmp_path: Path) -> None:
    save_checkpoint(policy, tmp_path)
    again = load_checkpoint(tmp_path)
    assert again.spec == policy.spec
    assert again.latent_std == 0.5
    assert again.meta == {"seed": "3"}
    for part in ("slow", "fast", "step_sizes"):
        old, new = getattr(policy, part), getattr(again, part)
        assert old.keys() == new.keys()
        assert all(torch.equal(old[k], new[k]) for k in old)


def test_the_shipped_policy_is_complete() -> None:
    shipped = load_checkpoint("push-vision", family="push", rig="nominal")
    assert shipped.spec.kind == "vision"
    assert "gmps meta-train push-vision --seed" in shipped.meta["command"]
    assert shipped.belief


def test_wrong_family_rig_and_name_are_refused(policy: MetaPolicy, tmp_path: Path) -> None:
    save_checkpoint(policy, tmp_path)
    with pytest.raises(CheckpointError, match="family 'push', not 'door'"):
        load_checkpoint(tmp_path, family="door")
    with pytest.raises(CheckpointError, match="rig 'nominal', not 'abc'"):
        load_checkpoint(tmp_path, rig="abc")
    with pytest.raises(CheckpointError, match="did you mean 'push-vision'"):
        load_checkpoint("push-vison")


def test_nan_weights_are_refused(policy: MetaPolicy, tmp_path: Path) -> None:
    broken = replace(policy, fast={**policy.fast, "fc1.bias": torch.full((100,), float("nan"))})
    save_checkpoint(broken, tmp_path)
    with pytest.raises(CheckpointError, match=r"fast\.fc1\.bias holds NaN"):
        load_checkpoint(tmp_path)


def test_damaged_and_missing_weights_are_refused(policy: MetaPolicy, tmp_path: Path) -> None:
    save_checkpoint(policy, tmp_path)
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="cannot read the weights"):
        load_checkpoint(tmp_path)
    weights.unlink()
    with pytest.raises(CheckpointError, match="cannot read the weights"):
        load_checkpoint(tmp_path)


def test_missing_step_sizes_are_named(policy: MetaPolicy, tmp_path: Path) -> None:
    kept = {name: value for name, value in policy.step_sizes.items() if name != "latent"}
    save_checkpoint(replace(policy, step_sizes=kept), tmp_path)
    with pytest.raises(CheckpointError, match=r"step_sizes\.latent should be \(3,\), found nothing"):
        load_checkpoint(tmp_path)


def test_a_recipe_survives_yaml(tmp_path: Path) -> None:
    recipe = load_recipe("push-vision")
    config.save(recipe, tmp_path / "r.yaml")
    assert config.load(Recipe, tmp_path / "r.yaml") == recipe


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\ntaks: 3", "unknown key 'taks'.*did you mean 'tasks'"),
        ("name: x\nwarmup: {stpes: 3}", "warmup: unknown key 'stpes'.*did you mean 'steps'"),
        ("name: x\ntasks: many", "tasks = 'many': expected int"),
        ("name: x\nreward: binray", "reward = 'binray'.*did you mean 'binary'"),
        ("kind: state", "missing"),
        ("[1, 2", "is not YAML"),
    ],
)
def test_a_wrong_recipe_is_answered_with_what_to_write(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_recipe(str(path))
