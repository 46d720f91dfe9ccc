"""What every file promises: a name that says something, a readable size, and nothing of the author's machine."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIST = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
TRACKED = subprocess.run(LIST, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
FILES = [ROOT / name for name in TRACKED if name and (ROOT / name).is_file()]
PACKAGES = ("gmps_robot", "sim", "calibration", "ros2_ws")
SOURCES = [p for p in FILES if p.suffix == ".py" and p.relative_to(ROOT).parts[0] in PACKAGES]
LONGEST_FILE, LONGEST_FUNCTION = 300, 60
MEGABYTE = 1 << 20


def place(path: Path) -> str:
    return str(path.relative_to(ROOT))


def texts() -> list[tuple[Path, str]]:
    pairs = []
    for path in FILES:
        try:
            pairs.append((path, path.read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue
    return pairs


def test_there_is_something_to_check() -> None:
    assert len(SOURCES) > 30


def test_no_file_has_a_name_that_says_nothing() -> None:
    empty = re.compile(r"(^|/)(utils?|helpers?|common|misc)(\.py$|/)")
    assert [place(p) for p in FILES if empty.search(place(p))] == []


def test_no_source_file_is_longer_than_300_lines() -> None:
    assert [place(p) for p in SOURCES if len(p.read_text().splitlines()) > LONGEST_FILE] == []


def test_no_function_is_longer_than_a_screen() -> None:
    long = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > LONGEST_FUNCTION:
                    long.append(f"{place(path)}:{node.lineno} {node.name} has {lines} lines")
    assert long == []


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("home folders and mounts of one machine", r"(?<![\w.<$}/-])/(home|root|work|farm|mnt|Users)/[a-z]"),
        ("hosts of package mirrors", r"(index-url|trusted-host|find-links)[ =]+https?://(?!download\.pytorch\.org)"),
        ("private addresses", r"(?<![\d.])(10\.\d+\.\d+\.\d+|192\.168\.\d+\.\d+)(?![\d.])"),
        ("secrets", r"(-----BEGIN [A-Z ]*PRIVATE KEY-----|gh[pousr]_[A-Za-z0-9]{30,})"),
    ],
)
def test_nothing_of_one_machine_is_written_down(what: str, pattern: str) -> None:
    found = re.compile(pattern)
    this = Path(__file__)
    places = [
        f"{place(path)}:{number}"
        for path, text in texts() if path != this
        for number, line in enumerate(text.splitlines(), 1) if found.search(line)
    ]
    assert places == [], what


def test_the_public_torch_index_is_named_only_where_torch_is_installed() -> None:
    named = {place(path) for path, text in texts() if "download.pytorch.org" in text and "tests" not in path.parts}
    assert named <= {"scripts/install_torch.py", "docker/Dockerfile", "README.md", "CONTRIBUTING.md"}


def test_nothing_is_left_undone_in_sources() -> None:
    mark = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    undone = [
        f"{place(path)}:{number}"
        for path in SOURCES
        for number, line in enumerate(path.read_text().splitlines(), 1) if mark.search(line)
    ]
    assert undone == []


def test_no_file_makes_the_clone_heavy() -> None:
    heavy = {place(p): p.stat().st_size // MEGABYTE for p in FILES if p.stat().st_size > 8 * MEGABYTE}
    assert heavy == {}
