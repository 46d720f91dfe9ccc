"""Install torch 2.13 for this machine: the CPU build unless there is an NVIDIA GPU or it is asked for.

    python scripts/install_torch.py [auto|cpu|cuda]

Run with the Python of the virtual environment. What is installed and fits is kept. On Linux the plain wheel is the CUDA
build (several GB), so pip is asked first what it would take, and the public PyTorch index is named only where needed.
"""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import subprocess
import sys

REQUIREMENT = "torch==2.13.*"
SERIES = "2.13."
INDEX = {"cpu": "https://download.pytorch.org/whl/cpu", "cuda": "https://download.pytorch.org/whl/cu130"}
CHOICES = ("auto", "cpu", "cuda")


def pip(*arguments: str, capture: bool = False) -> subprocess.CompletedProcess[str]:
    """Run this Python's pip."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    return subprocess.run(command, capture_output=capture, text=True, check=False)


def has_gpu() -> bool:
    """Return whether an NVIDIA driver answers."""
    return shutil.which("nvidia-smi") is not None and (
        subprocess.run(["nvidia-smi", "-L"], capture_output=True, check=False).returncode == 0
    )


def installed() -> str | None:
    """Return the installed version of torch, or None."""
    try:
        return importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return None


def build_of(version: str) -> str:
    """Return "cpu" or "cuda" for a version such as 2.13.0+cpu; a plain version is the CUDA build on Linux."""
    return "cpu" if version.endswith("+cpu") else "cuda"


def offered() -> str | None:
    """Return the version that pip would take here with the settings of this machine, or None when it finds none."""
    quietly = ["--dry-run", "--quiet", "--ignore-installed", "--no-deps", "--report", "-"]
    answer = pip("install", *quietly, REQUIREMENT, capture=True)
    if answer.returncode != 0:
        return None
    return str(json.loads(answer.stdout)["install"][0]["metadata"]["version"])


def main(arguments: list[str]) -> int:
    """Install what was asked for; returns an exit code."""
    wanted = arguments[0] if arguments else "auto"
    if wanted not in CHOICES:
        print(f"error: TORCH={wanted!r}; valid: {', '.join(CHOICES)}", file=sys.stderr)
        return 2
    version = installed()
    if version and version.startswith(SERIES) and wanted in ("auto", build_of(version)):
        print(f"torch {version} is installed")
        return 0
    build = wanted if wanted != "auto" else ("cuda" if has_gpu() else "cpu")
    plain = offered()
    source = [] if plain is not None and build_of(plain) == build else ["--index-url", INDEX[build]]
    print(f"installing torch for {build}" + (f" from {INDEX[build]}" if source else ""), flush=True)
    # Dependencies of the CPU build come with the project's own; the CUDA build brings libraries from its index.
    extras = ["--no-deps"] if build == "cpu" else []
    if pip("install", "--quiet", *extras, *source, REQUIREMENT).returncode != 0:
        print(
            f"error: no torch {SERIES}x for {build} and Python {sys.version.split()[0]} could be installed (see above)."
            " Check the network; `make setup TORCH=cpu` or `TORCH=cuda` chooses the build.",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
