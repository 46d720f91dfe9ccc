"""From the demonstrations of a catalogue alone: does GMPS learn more from them than MultiTask Imitation?

    .venv/bin/python benchmarks/teach_to_train.py --data runs/teach/data [--kind state] [--kind vision] [--json FILE]
    .venv/bin/python benchmarks/teach_to_train.py --data runs/taught --on-twin 3

Both learn from the same accepted demonstrations, without the twin's expert, and then adapt to held-out goals from
binary labels: GMPS as its recipe says, imitation by policy gradient with the step size that does best on `val` goals.
`make teach-to-train` records the demonstrations before, through the page; `--on-twin` lets the same scripted operator
give them to the twin, without ROS, page or browser. Bar: more `test` goals solved after two updates of 20 episodes, by
a 95 % interval of the paired difference that leaves out zero.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))

from gmps_robot import config
from gmps_robot.checkpoint import load_checkpoint
from gmps_robot.cli.main import main as gmps
from gmps_robot.data.catalog import Catalog, EpisodeFilter
from gmps_robot.data.keep import keep
from gmps_robot.families import family as family_by_name
from gmps_robot.learning.recipe import Recipe
from gmps_robot.learning.statistics import wilson_interval
from sim.evaluation import Evaluation, evaluate
from sim.rollouts import VecSimulator
from sim.taught_episodes import teach
from sim.twin import Twin

STEP_SIZES = (0.001, 0.003, 0.01, 0.03, 0.1)  # of imitation's policy gradient, chosen on `val`
VAL_GOALS, TEST_GOALS, EPISODES, UPDATES = 40, 100, 20, 2
RESAMPLES = 10_000


def teach_on_twin(data: Path, per_task: int) -> None:
    """Let a scripted operator try `per_task` demonstrations of each of 20 training goals; what solves is accepted."""
    family = family_by_name("push")
    twin = Twin(family)
    with Catalog(data) as catalog:
        for number, task in enumerate(family.sample("train", 20, 0)):
            for attempt in range(per_task):
                keep(catalog, teach(twin, task, data, 1000 * number + attempt).path)
        print(f"{catalog.count(EpisodeFilter(accepted=True))} of {catalog.count()} demonstrations accepted", flush=True)


def train(recipe: str, data: Path, out: Path) -> Path:
    """Train from the catalogue's demonstrations, or take what an earlier run left."""
    if gmps(["meta-train", recipe, "--demos", "catalog:push", "--data", str(data), "--out", str(out)]) != 0:
        raise SystemExit(f"training of {recipe} failed")
    return out


def solved(checkpoint: Path, split: Any, goals: int, step: float | None = None) -> Evaluation:
    """Adapt to `goals` goals of `split`; `step` replaces the learned step sizes of the FC layers."""
    policy = load_checkpoint(checkpoint)
    settings = config.load(Recipe, checkpoint / "recipe.yaml").adapt
    if step is not None:
        sizes = {k: torch.full_like(v, step) if k.startswith("fc") else v for k, v in policy.step_sizes.items()}
        policy = replace(policy, step_sizes=sizes)
    family = family_by_name("push")
    return evaluate(
        policy, family, family.sample(split, goals, 0), VecSimulator(family), settings, episodes=EPISODES,
        updates=UPDATES, reward="binary", seed=0,
    )  # fmt: skip


def difference(ours: NDArray[np.bool_], theirs: NDArray[np.bool_]) -> tuple[float, float]:
    """95 % bootstrap interval of the difference in success over the same goals."""
    gain = ours.astype(float) - theirs.astype(float)
    drawn = np.random.default_rng(0).integers(len(gain), size=(RESAMPLES, len(gain)))
    low, high = np.quantile(gain[drawn].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def compare(kind: str, data: Path, runs: Path) -> dict[str, Any]:
    """Train both, choose imitation's step, test both."""
    ours = train(f"push-{kind}", data, runs / f"{kind}-gmps")
    theirs = train(f"push-{kind}-imitation", data, runs / f"{kind}-imitation")
    val = {step: float(solved(theirs, "val", VAL_GOALS, step).success[-1].mean()) for step in STEP_SIZES}
    best = max(val, key=lambda step: val[step])
    results = {"gmps": solved(ours, "test", TEST_GOALS), "imitation": solved(theirs, "test", TEST_GOALS, best)}
    low, high = difference(results["gmps"].success[-1], results["imitation"].success[-1])
    print(f"\n{kind}, {TEST_GOALS} test goals, {EPISODES} episodes per update")
    for name, result in results.items():
        pairs = zip(result.success.mean(axis=1), result.distance.mean(axis=1), strict=True)
        said = [f"{success:.2f} / {100 * distance:.1f} cm" for success, distance in pairs]
        interval = wilson_interval(int(result.success[-1].sum()), TEST_GOALS)
        print(f"{name:10} {' -> '.join(said)}  [{interval.low:.2f}, {interval.high:.2f}]")
    print(f"difference after {UPDATES} updates: {low:+.2f} to {high:+.2f} (bar: above 0)", flush=True)
    return {
        "val_by_step": {str(step): value for step, value in val.items()}, "step": best, "difference": [low, high],
        **{name: result.table() for name, result in results.items()},
    }  # fmt: skip


def main() -> int:
    """Compare; the exit code says whether the bar is met for every kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the data directory that was taught into")
    parser.add_argument("--kind", action="append", choices=("state", "vision"), help="by default both")
    parser.add_argument("--runs", type=Path, default=Path("runs/teach"), help="where the checkpoints go")
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument("--on-twin", type=int, default=0, metavar="N", help="first try N demonstrations per goal")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.on_twin:
        teach_on_twin(options.data, options.on_twin)
    report = {kind: compare(kind, options.data, options.runs) for kind in options.kind or ("state", "vision")}
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0 if all(of["difference"][0] > 0 for of in report.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
