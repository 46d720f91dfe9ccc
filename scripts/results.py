"""Make every learning result of docs/results.md: train, evaluate, and write the tables from what was measured.

    python scripts/results.py            everything, two at a time, in runs/; a stopped run goes on where it stopped
    python scripts/results.py --tables   only the tables, from docs/results/*.json
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE, TOLD = ROOT / "docs/results.md", ROOT / "docs/results"
RUNS, MADE = ROOT / "runs", ROOT / "runs/results"  # what is made goes to the page when all of it is there
MOVED = "'camera_translation=0.02,0,0;camera_rotation=0,0.035,0'"
VARIANTS = {
    "tip-left": "tip_offset=0,0.025,0", "tip-right": "tip_offset=0,-0.025,0", "gain": "action_gain=0.65",
    "slippery-heavy": "'friction_scale=0.3;mass_scale=3'",
}  # fmt: skip
VARIED = [(1, name) for name in VARIANTS] + [(0, "tip-left")]  # training seed, variant
HEAD_STEPS = (0.001, 0.003, 0.01, 0.03, 0.1)
OOD = "--split ood --goals 40 --updates 5"
Evaluations = dict[str, str]  # name of a result -> options of `gmps evaluate`


def plan() -> dict[tuple[str, int], Evaluations]:
    """Each training (recipe, seed), and what is evaluated of it."""
    runs: dict[tuple[str, int], Evaluations] = {("push-vision", seed): {} for seed in (1, 0, 2)}
    for (recipe, seed), wanted in runs.items():
        name = f"{recipe}-s{seed}"
        wanted[name] = ""
        wanted[f"{name}-val"] = "--split val --goals 50 --updates 1 --seed 5"
        wanted[f"{name}-belief"] = "--episodes 5 --updates 2 --latent-update belief"
    ships = "push-vision-s1"
    runs["push-vision", 1] |= {f"{ships}-{part}": f"--adapt {part}" for part in ("latent", "fc")}
    runs["push-vision", 1] |= {
        f"{ships}-moved-{part}": f"--adapt {part} --variation {MOVED}" for part in ("latent", "both")
    }
    runs["push-vision", 1] |= outside_of(ships)
    for seed in range(5):
        name = f"push-state-s{seed}"
        runs["push-state", seed] = {name: ""}
        if seed == 0:
            runs["push-state", seed] |= outside_of(name)
        runs["push-state", seed] |= {
            f"{name}-{variant}-{part}": f"--adapt {part} --variation {VARIANTS[variant]}"
            for varied, variant in VARIED if varied == seed for part in ("latent", "both")
        }  # fmt: skip
    for recipe in ("push-vision-frozen-conv", "push-vision-privileged"):
        runs[recipe, 0] = {f"{recipe}-s0": ""}
    runs["push-vision-camera", 0] = {
        "push-vision-camera-s0": "--updates 2", "push-vision-camera-s0-moved": f"--updates 2 --variation {MOVED}"
    }  # fmt: skip
    for recipe in ("push-state-published", "push-vision-published"):
        runs[recipe, 0] = {f"{recipe}-s0": "--reward dense"}
    for recipe in ("push-vision-imitation", "push-state-imitation"):
        runs[recipe, 0] = {
            f"{recipe}-s0-val-{step}": f"--split val --goals 40 --updates 1 --head-step {step}" for step in HEAD_STEPS
        } | {f"{recipe}-s0": "--head-step BEST"}
    return runs


def outside_of(name: str) -> Evaluations:
    """Evaluations on goals outside the training box."""
    return {f"{name}-ood-binary": OOD, f"{name}-ood-distance": f"{OOD} --reward distance --decay 0.8"}


def make(recipe: str, seed: int, wanted: Evaluations) -> None:
    """Train, and make the results that are missing."""
    out = f"runs/{recipe}-s{seed}"
    missing = {name: options for name, options in wanted.items() if not (MADE / f"{name}.json").is_file()}
    if missing:
        gmps(f"meta-train {recipe} --seed {seed} --out {out}")
    for name, options in missing.items():
        chosen = options.replace("BEST", str(best_step(name, MADE))) if "BEST" in options else options
        gmps(f"evaluate {out} {chosen} --json runs/results/{name}.json")


def best_step(name: str, where: Path = TOLD) -> float:
    """The head step that does best on `val` after one update."""
    return max(HEAD_STEPS, key=lambda step: (result(f"{name}-val-{step}", where)["success"]["1"], -step))


def gmps(words: str) -> None:
    """Run a command of gmps; its output goes to a log."""
    print(f"gmps {words}", flush=True)
    MADE.mkdir(parents=True, exist_ok=True)
    with (RUNS / "results.log").open("a") as log:
        command = [sys.executable, "-m", "gmps_robot.cli", *shlex.split(words)]
        if subprocess.run(command, cwd=ROOT, stdout=log, stderr=log, check=False).returncode:
            raise SystemExit(f"gmps {words}\nfailed, runs/results.log says why; what is done stays: run it again")


def result(name: str, where: Path = TOLD) -> dict[str, dict[str, float]]:
    """What was measured, as `gmps evaluate --json` wrote it."""
    found: dict[str, dict[str, float]] = json.loads((where / f"{name}.json").read_text())
    return found


def cell(name: str, update: str, *, short: bool = False) -> str:
    """`success [95 % interval] / mean distance / share within 3 cm`."""
    found = result(name)
    if update not in found["success"]:
        return ""
    low, high = (fraction(end) for end in found["intervals"][update])  # type: ignore[attr-defined]
    told = f"{fraction(found['success'][update])} [{low}, {high}] / {100 * found['distance_m'][update]:.1f} cm"
    return told if short else f"{told} / {fraction(found['success_3cm'][update])}"


def fraction(value: float) -> str:
    """`.97`; 1.00 in full."""
    return f"{value:.2f}".lstrip("0") or "0"


def row(label: str, name: str, updates: Sequence[str] = ("pre", "1", "2", "3")) -> str:
    """One line of a table."""
    return f"| {label} | " + " | ".join(cell(name, update) for update in updates) + " |"


def mean(names: Sequence[str], updates: Sequence[str] = ("pre", "1", "2", "3")) -> str:
    """The line of means."""
    rates = (sum(result(name)["success"][update] for name in names) / len(names) for update in updates)
    return "| **mean** | " + " | ".join(f"**{rate:.3f}**".replace("0.", ".") for rate in rates) + " |"


def tables() -> Iterator[tuple[str, list[str]]]:
    """The lines of each table under its headings, by the name of its marks in the page."""
    vision, state = [f"push-vision-s{seed}" for seed in range(3)], [f"push-state-s{seed}" for seed in range(5)]
    yield "images", [*(row(f"{k}{' (ships)' if k == 0 else ''}", name) for k, name in enumerate(vision)), mean(vision)]
    yield "belief", [row(str(k), f"{name}-belief", ("pre", "1", "2")) for k, name in enumerate(vision)]
    yield "state", [*(row(str(k), name) for k, name in enumerate(state)), mean(state)]
    yield "beside", [row(label, name) for label, name in beside(vision[1])]
    yield "variants", [varied(seed, variant) for seed, variant in VARIED]
    yield "camera", [
        row("`push-vision-camera`, nominal camera", "push-vision-camera-s0", ("pre", "1", "2")),
        row("the same, camera moved", "push-vision-camera-s0-moved", ("pre", "1", "2")),
        *(
            row(f"`push-vision` seed 1, camera moved, {words}", f"push-vision-s1-moved-{part}", ("pre", "1", "2"))
            for part, words in (("latent", "latent only"), ("both", "FC + latent"))
        ),
    ]
    updates = ("pre", "1", "2", "3", "4", "5")
    yield "ood", [
        f"| {name[:-3]}, {kind} | "
        + " | ".join(cell(f"{name}-ood-{kind}", update, short=True) for update in updates)
        + " |"
        for name in (vision[1], state[0])
        for kind in ("binary", "distance")
    ]


def varied(seed: int, variant: str) -> str:
    """One line of the table of changed twins."""
    name, change = f"push-state-s{seed}-{variant}", VARIANTS[variant].strip("'")
    rates = (
        " / ".join(fraction(result(f"{name}-{part}")["success"][update]) for update in "123")
        for part in ("latent", "both")
    )
    return f"| `{change}` | {seed} | {cell(f'{name}-latent', 'pre', short=True)} | {' | '.join(rates)} |"


def beside(ships: str) -> Iterator[tuple[str, str]]:
    """Rows of the table of other methods."""
    yield "**push-vision** seed 1, binary", ships
    yield "the same, latent only", f"{ships}-latent"
    yield "the same, FC only", f"{ships}-fc"
    yield "`push-vision-frozen-conv`: conv layers of the warm-up alone, binary", "push-vision-frozen-conv-s0"
    yield "`push-vision-privileged`: the twin's goal as latent source, binary", "push-vision-privileged-s0"
    yield "**GMPS as published**, images, dense", "push-vision-published-s0"
    yield "**GMPS as published**, full state, dense", "push-state-published-s0"
    for kind, words in (("vision", "images"), ("state", "full state")):
        name = f"push-{kind}-imitation-s0"
        yield f"MultiTask Imitation, {words}, binary, head step {best_step(name)}", name


def filled(page: str) -> str:
    """Return the page with the tables between their marks."""
    for name, lines in tables():
        head, mark, rest = page.partition(f"<!-- rows of {name} -->\n")
        _, end, tail = rest.partition("<!-- end of rows -->")
        if not mark or not end:
            raise SystemExit(f"{PAGE} has no marks for the table {name}")
        page = f"{head}{mark}" + "".join(f"{line}\n" for line in lines) + f"{end}{tail}"
    return page


def main() -> int:
    """Carry out the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", action="store_true", help="only write the tables anew")
    parser.add_argument("--processes", type=int, default=2, help="trainings at a time, one core each")
    options = parser.parse_args()
    if not options.tables:
        with ThreadPoolExecutor(options.processes) as pool:
            for done in [pool.submit(make, *run, wanted) for run, wanted in plan().items()]:
                done.result()
        for wanted in plan().values():
            for name in wanted:
                shutil.copyfile(MADE / f"{name}.json", TOLD / f"{name}.json")
    PAGE.write_text(filled(PAGE.read_text()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
