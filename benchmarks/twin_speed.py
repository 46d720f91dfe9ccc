"""What `bench_twin_state.py` and `bench_twin_pixels.py` share: workers that step a simulator, and the peer's venv.

Run as a script it is one worker: `python twin_speed.py gmps|metaworld state|pixels` answers each line "n" on stdin with
the process CPU seconds of n control steps. Stays importable by the peer's interpreter: this project is imported late.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PEER = ROOT / "build" / "peers" / "metaworld"
# gymnasium's MuJoCo parts need `packaging` without saying so; the extra brings it.
PEER_PACKAGES = ("metaworld==3.1.1", "gymnasium[mujoco]", "PyOpenGL")
SIDES = ("gmps", "metaworld")
WORLDS = 256  # of the batch simulator
SIZE = 84  # pixels along each side
PERIODS = {"gmps": 0.05, "metaworld": 0.0125}  # control period [s]


@dataclass(frozen=True)
class Settings:
    """How long to measure."""

    blocks: int
    steps: dict[str, int]  # control steps per block, by side


def gmps_steps(pixels: bool) -> Callable[[int], None]:
    """Return a function that carries out n control steps with observation and dense reward, spread over the worlds."""
    import numpy as np

    from gmps_robot.families import family
    from gmps_robot.tasks import contexts
    from gmps_robot.types import SceneState
    from sim.render.camera import POLICY_CAMERA
    from sim.vector import VecSim

    push = family("push")
    simulator = VecSim(push, WORLDS, camera=POLICY_CAMERA.scaled(SIZE, SIZE) if pixels else None)
    goals = contexts(push.sample("train", WORLDS, 0))
    rng = np.random.default_rng(0)

    def run(steps: int) -> None:
        """Push `steps` steps, over all worlds, with random actions."""
        for k in range(steps // WORLDS):
            if k % push.horizon == 0:
                simulator.reset()
            action = np.clip(rng.normal(size=(WORLDS, 3)) * 0.4 + [0.6, 0.0, 0.0], -1, 1)
            scene = simulator.step(push.arm_action(action))
            push.observation(scene)
            one_step = SceneState(scene.tip[:, None], scene.object_pose[:, None], scene.time[:, None])
            push.reward(one_step, goals, "dense")
            if pixels:
                simulator.images()

    return run


def metaworld_steps(pixels: bool) -> Callable[[int], None]:
    """Return a function that carries out n control steps of push-v3, whose step computes observation and reward."""
    import metaworld  # type: ignore[import-not-found]
    import numpy as np

    benchmark = metaworld.MT1("push-v3", seed=0)
    settings: dict[str, Any] = {"camera_name": "corner2", "width": SIZE, "height": SIZE} if pixels else {}
    task = benchmark.train_classes["push-v3"](render_mode="rgb_array" if pixels else None, **settings)
    task.set_task(benchmark.train_tasks[0])
    rng = np.random.default_rng(0)
    count = 0

    def run(steps: int) -> None:
        """Take `steps` steps of Meta-World with random actions."""
        nonlocal count
        for _ in range(steps):
            if count % task.max_path_length == 0:
                task.reset()
            count += 1
            # Down to the block and towards the goal, so that the fingers are in contact as ours are.
            action = rng.normal(size=4) * 0.4 + [0.0, 0.3, -0.2, 0.0]
            task.step(np.clip(action, -1, 1).astype(np.float32))
            if pixels:
                task.render()

    return run


def serve(side: str, pixels: bool) -> None:
    """Answer each line "n" on stdin with the CPU seconds of n steps."""
    run = gmps_steps(pixels) if side == "gmps" else metaworld_steps(pixels)
    run(WORLDS if side == "gmps" else 2)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        started = time.process_time()
        run(int(line))
        sys.stdout.write(f"cpu {time.process_time() - started:.9f}\n")
        sys.stdout.flush()


def peer_python() -> Path:
    """Return the peer's interpreter; install the peer when it is not there."""
    python, done = PEER / "bin" / "python", PEER / "installed"
    if not done.is_file():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(PEER)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PEER_PACKAGES], check=True)
        done.write_text("\n".join(PEER_PACKAGES) + "\n", encoding="utf-8")
    return python


def measure(pixels: bool, settings: Settings) -> dict[str, list[float]]:
    """CPU seconds per control step of each side, one number per block, the sides taking turns."""
    workers = {side: _start(side, pixels) for side in SIDES}
    try:
        result: dict[str, list[float]] = {side: [] for side in SIDES}
        for _ in range(settings.blocks):
            for side, worker in workers.items():
                steps = settings.steps[side]
                result[side].append(_ask(worker, steps) / steps)
        return result
    finally:
        for worker in workers.values():
            worker.kill()
            worker.wait()


def summary(name: str, times: dict[str, list[float]], bar: float, per_step: bool) -> dict[str, object]:
    """Medians and the median of the per-block ratios, per control step or per simulated second."""
    from calibrate import gflops

    weight = dict.fromkeys(SIDES, 1.0) if per_step else {side: 1.0 / PERIODS[side] for side in SIDES}
    cost = {side: [t * weight[side] for t in times[side]] for side in SIDES}
    ratios = [peer / ours for ours, peer in zip(cost["gmps"], cost["metaworld"], strict=True)]
    return {
        "benchmark": name,
        "unit": "steps with image per CPU second" if per_step else "simulated seconds per CPU second",
        "control_steps_per_cpu_s": {side: round(1.0 / statistics.median(times[side]), 1) for side in SIDES},
        "simulated_s_per_cpu_s": {
            side: round(PERIODS[side] / statistics.median(times[side]), 2) for side in SIDES
        },
        "ratio": round(statistics.median(ratios), 2),
        "ratio_quartiles": [round(q, 2) for q in statistics.quantiles(ratios, n=4)[::2]],
        "bar": bar,
        "worlds": WORLDS,
        "blocks": len(ratios),
        "calibration_gflops": round(gflops(), 1),
    }


def report(result: dict[str, object], path: Path | None) -> int:
    """Print and save `result`; return 1 when the bar is missed."""
    text = json.dumps(result, indent=2) + "\n"
    sys.stdout.write(text)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0 if float(str(result["ratio"])) >= float(str(result["bar"])) else 1


def _start(side: str, pixels: bool) -> subprocess.Popen[str]:
    """Start a worker; where EGL fails on the peer's side, OSMesa is tried."""
    python = str(peer_python()) if side == "metaworld" else sys.executable
    for backend in ("egl", "osmesa"):
        environment = {
            **os.environ, "OMP_NUM_THREADS": "1", "LP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "MUJOCO_GL": backend,
        }
        worker = subprocess.Popen(
            [python, __file__, side, "pixels" if pixels else "state"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env=environment,
        )
        if _answer(worker) == "ready":
            return worker
        worker.wait()
    raise SystemExit(f"{side} did not start; its messages are above")


def _ask(worker: subprocess.Popen[str], steps: int) -> float:
    if worker.stdin is None:
        raise SystemExit("worker without stdin")
    worker.stdin.write(f"{steps}\n")
    worker.stdin.flush()
    answer = _answer(worker)
    if not answer.startswith("cpu "):
        raise SystemExit(f"worker ended with status {worker.wait()}")
    return float(answer.removeprefix("cpu "))


def _answer(worker: subprocess.Popen[str]) -> str:
    """Return the worker's next answer, empty when it ended; libraries may print lines of their own before it."""
    for line in worker.stdout or ():
        if line.strip() == "ready" or line.startswith("cpu "):
            return line.strip()
    return ""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("side", choices=SIDES)
    parser.add_argument("kind", choices=("state", "pixels"))
    options = parser.parse_args()
    serve(options.side, options.kind == "pixels")
