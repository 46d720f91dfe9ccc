"""CPU time of one SAC update (2 x 256 hidden units, batch 256) against stable-baselines3.

    python benchmarks/bench_sac.py [--blocks 12] [--updates 40] [--json FILE]

Both sides draw their batches from their own replay buffers (39 features, 4 actions, learned temperature, two critics,
no LayerNorm, fp32, one thread) and run as processes of their own, block by block in turn, so that both meet the same
machine. The unit is process CPU time. The peer lives in `build/peers/sb3`, which is made on the first run.
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
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PEER = ROOT / "build" / "peers" / "sb3"
PEER_PACKAGES = ("torch==2.13.0", "stable-baselines3==2.9.2")  # torch first: its CPU wheel satisfies the second
BAR = 0.8
FEATURES, ACTIONS, HIDDEN, BATCH = 39, 4, 256, 256
SIDES = ("gmps", "gmps with LayerNorm", "stable-baselines3")


def gmps_updates(layer_norm: bool) -> Callable[[int], None]:
    """Return a function that takes n updates of this project's learner."""
    import numpy as np
    import torch

    from gmps_robot.learning.replay import Episodes, Replay
    from gmps_robot.learning.sac import SacSettings, Transitions, make_learner, update

    class Problem:
        state_size, context_size, feature_size, action_size, horizon = FEATURES - 2, 2, FEATURES, ACTIONS, 50

        def features(self, states, contexts):  # type: ignore[no-untyped-def]
            return np.concatenate([states, contexts], axis=1)

        def rewards(self, next_states, contexts):  # type: ignore[no-untyped-def]
            return -np.abs(next_states[:, :2] - contexts).sum(axis=1)

        def achieved(self, states):  # type: ignore[no-untyped-def]
            return states[:, :2]

    rng, generator = np.random.default_rng(0), torch.Generator().manual_seed(0)
    replay = Replay(Problem(), capacity=200)

    def normal(*shape: int):  # type: ignore[no-untyped-def]
        return rng.normal(size=shape).astype(np.float32)

    replay.add(Episodes(normal(200, 51, FEATURES - 2), np.tanh(normal(200, 50, ACTIONS)), normal(200, 2)))
    settings = SacSettings(hidden=(HIDDEN, HIDDEN), batch_size=BATCH, layer_norm=layer_norm)
    learner = make_learner(FEATURES, ACTIONS, settings, generator)

    def run(updates: int) -> None:
        for start in range(0, updates, 20):
            count = min(20, updates - start)
            drawn = replay.sample(count * BATCH, rng, demo_share=0.0, hindsight=0.4)
            for batch in zip(*(column.split(BATCH) for column in drawn), strict=True):
                update(learner, Transitions(*batch), generator)

    return run


def sb3_updates() -> Callable[[int], None]:
    """Return a function that takes n updates of stable-baselines3's SAC."""
    import gymnasium
    import numpy as np
    from stable_baselines3 import SAC

    class Noise(gymnasium.Env):  # type: ignore[misc]
        observation_space = gymnasium.spaces.Box(-1, 1, (FEATURES,), np.float32)
        action_space = gymnasium.spaces.Box(-1, 1, (ACTIONS,), np.float32)

        def reset(self, *, seed=None, options=None):  # type: ignore[no-untyped-def]  # noqa: ARG002
            return self.observation_space.sample(), {}

        def step(self, action):  # type: ignore[no-untyped-def]
            return self.observation_space.sample(), float(action[0]), False, False, {}

    net = {"net_arch": [HIDDEN, HIDDEN]}
    model = SAC("MlpPolicy", Noise(), batch_size=BATCH, learning_starts=5000, device="cpu", policy_kwargs=net)
    model.learn(5010)
    return lambda updates: model.train(updates, BATCH)


def serve(side: str) -> None:
    """Answer each line "n" on stdin with the CPU seconds of n updates."""
    import torch

    torch.set_num_threads(1)
    run = sb3_updates() if side == SIDES[2] else gmps_updates(layer_norm=side == SIDES[1])
    run(40)
    print("ready", flush=True)
    for line in sys.stdin:
        started = time.process_time()
        run(int(line))
        print(time.process_time() - started, flush=True)


def peer_python() -> Path:
    """Return the peer's interpreter; install the peer when it is not there."""
    python, done = PEER / "bin" / "python", PEER / "installed"
    if not done.is_file():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(PEER)], check=True)
        for package in PEER_PACKAGES:
            subprocess.run([str(python), "-m", "pip", "install", "--quiet", package], check=True)
        done.write_text("\n".join(PEER_PACKAGES) + "\n", encoding="utf-8")
    return python


def measure(blocks: int, updates: int) -> dict[str, list[float]]:
    """CPU milliseconds per update of each side, one number per block."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    workers = {}
    for side in SIDES:
        python = str(peer_python()) if side == SIDES[2] else sys.executable
        workers[side] = subprocess.Popen(
            [python, __file__, "--serve", side], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=environment,
        )  # fmt: skip
    try:
        for side, worker in workers.items():
            if _answer(worker) != "ready":
                raise RuntimeError(f"{side} did not start")
        result: dict[str, list[float]] = {side: [] for side in SIDES}
        for _ in range(blocks):
            for side, worker in workers.items():
                result[side].append(1e3 * float(_ask(worker, updates)) / updates)
        return result
    finally:
        for worker in workers.values():
            worker.terminate()
            worker.wait()


def report(times: dict[str, list[float]]) -> dict[str, object]:
    """Medians, and the median of the per-block ratios to the peer."""
    from benchmarks.calibrate import gflops

    peer = times[SIDES[2]]
    ratios = {side: [a / b for a, b in zip(times[side], peer, strict=True)] for side in SIDES[:2]}
    return {
        "benchmark": "sac_update_256x256_batch256",
        "unit": "CPU ms per update, replay sampling included",
        "median_ms": {side: round(statistics.median(values), 2) for side, values in times.items()},
        "ratio": round(statistics.median(ratios[SIDES[0]]), 3),
        "ratio_quartiles": [round(q, 3) for q in statistics.quantiles(ratios[SIDES[0]], n=4)[::2]],
        "ratio_with_layer_norm": round(statistics.median(ratios[SIDES[1]]), 3),
        "bar": BAR,
        "calibration_gflops": round(gflops(), 1),
    }


def _ask(worker: subprocess.Popen[str], updates: int) -> str:
    if worker.stdin is None:
        raise RuntimeError("worker without stdin")
    worker.stdin.write(f"{updates}\n")
    worker.stdin.flush()
    return _answer(worker)


def _answer(worker: subprocess.Popen[str]) -> str:
    """Return the worker's next answer; libraries may print lines of their own before it."""
    if worker.stdout is None:
        raise RuntimeError("worker without stdout")
    for line in worker.stdout:
        word = line.strip()
        if word == "ready" or word.replace(".", "", 1).replace("e-", "", 1).isdigit():
            return word
    raise RuntimeError(f"worker ended with status {worker.wait()}")


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and exit with 1 when the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=12)
    parser.add_argument("--updates", type=int, default=40)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--serve", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve:
        serve(options.serve)
        return 0
    result = report(measure(options.blocks, options.updates))
    print(json.dumps(result, indent=2))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 0 if float(str(result["ratio"])) <= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
