"""Open exported data sets with the peers' own loaders, each in a virtual environment of its own, and compare.

    .venv/bin/python benchmarks/exports/check.py [--peers build/peers]

Teaches a few episodes on the twin, exports them, lets robomimic and lerobot read every frame, action and reward, and
compares their digests with those of the episodes. The environments see the packages of this one (torch, numpy) and
bring everything else themselves; nothing of theirs comes in here.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from digests import digests

ROOT = Path(__file__).resolve().parents[2]
PEERS = {
    "robomimic": (["robomimic==0.3.0", "tensorboardX", "imageio", "termcolor", "tqdm", "torchvision==0.28.0"], ["six"]),
    "lerobot": (
        ["lerobot==0.4.4", "torchvision==0.28.0", "torchcodec==0.13.0", "accelerate"],
        ["datasets<4.2", "huggingface-hub<0.36", "av<16", "draccus==0.10.0", "jsonlines", "einops", "gymnasium",
         "deepdiff", "packaging"],
    ),
}  # fmt: skip
EPISODES = 4


def environment(peer: str, folder: Path) -> Path:
    """Make the virtual environment of `peer` below `folder` where it is not yet; returns its Python."""
    place = folder / peer
    python = place / "bin" / "python"
    if (place / "ready").is_file():
        return python
    subprocess.run([sys.executable, "-m", "venv", "--clear", place], check=True)
    packages = Path(sysconfig.get_paths(vars={"base": str(place)})["purelib"])
    (packages / "ours.pth").write_text(sysconfig.get_paths()["purelib"] + "\n", encoding="utf-8")
    alone, whole = PEERS[peer]
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", *alone], check=True)  # their caps on torch and numpy are older than ours
    subprocess.run([*pip, *whole], check=True)
    (place / "ready").touch()
    return python


def make(data: Path) -> list[dict[str, str]]:
    """Teach, export in both formats below `data`, and return what has to be read."""
    from gmps_robot.data.catalog import Catalog, EpisodeFilter
    from gmps_robot.data.export import chosen, lerobot, robomimic
    from gmps_robot.data.keep import keep
    from gmps_robot.families import family as family_by_name
    from sim.taught_episodes import teach
    from sim.twin import Twin

    family = family_by_name("push")
    twin = Twin(family)
    with Catalog(data) as catalog:
        for k, task in enumerate(family.sample("train", EPISODES, 0)):
            keep(catalog, teach(twin, task, data, k).path)
        rows = chosen.select(catalog, EpisodeFilter())
        episodes = list(chosen.read(catalog, rows))
        robomimic.write(data / "push.hdf5", episodes, "push")
        lerobot.write(data / "push-lerobot", episodes, family.control_hz)
    return digests(
        [{"frames": e.derived.frames, "actions": e.derived.commanded, "rewards": e.rewards} for e in episodes]
    )


def main() -> int:
    """Make, read, compare; returns 0 when everything agrees."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, default=ROOT / "build" / "peers", help="where their environments lie")
    options = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        data = Path(name)
        wanted = make(data)
        for peer, what in (("robomimic", data / "push.hdf5"), ("lerobot", data / "push-lerobot")):
            python = environment(peer, options.peers)
            reader = Path(__file__).with_name(f"read_{peer}.py")
            offline = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": name}
            done = subprocess.run(
                [python, reader, what], env=offline, cwd=name, capture_output=True, text=True, check=False
            )
            if done.returncode != 0:
                print(f"{peer}: its loader fails\n{done.stderr}", file=sys.stderr)
                failed += 1
                continue
            read = json.loads(done.stdout.splitlines()[-1])
            same = read["episodes"] == wanted
            failed += not same
            print(f"{peer} {read['version']}: {len(wanted)} episodes, frames, actions and rewards "
                  f"{'identical' if same else 'DIFFER'}")  # fmt: skip
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
