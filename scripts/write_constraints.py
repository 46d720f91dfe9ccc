"""Write constraints.txt: the versions installed in this virtual environment, which the tests passed with.

    .venv/bin/python scripts/write_constraints.py

Left out: torch and its CUDA libraries (scripts/install_torch.py chooses the build), this project, and the Python
packages that travel inside the ROS 2 wheels and cannot be installed by name.
"""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

OUTPUT = Path(__file__).resolve().parent.parent / "constraints.txt"
LEFT_OUT = {"torch", "triton", "pip", "wheel", "gmps-robot", "gmps-robot-nodes", "gmps-msgs"}


def main() -> None:
    """Write the file, sorted, one pin per line."""
    pins = {}
    for distribution in importlib.metadata.distributions():
        name = distribution.metadata["Name"].lower().replace("_", "-")
        installed_by_name = (distribution.read_text("INSTALLER") or "").strip() != ""
        if installed_by_name and name not in LEFT_OUT and not name.startswith(("nvidia-", "cuda-")):
            pins[name] = distribution.version
    lines = [f"{name}=={version}\n" for name, version in sorted(pins.items())]
    head = "# Made by scripts/write_constraints.py; torch is chosen by scripts/install_torch.py.\n"
    OUTPUT.write_text(head + "".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
