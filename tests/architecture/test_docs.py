"""What the documents name exists: modules import, links and paths lead somewhere, make targets are targets."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from gmps_robot.cli.main import COMMANDS, groups

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
NAMES = re.findall(r"`((?:gmps_robot|sim|calibration)(?:\.\w+)*)`", (ROOT / "docs/architecture.md").read_text())


def page_id(path: Path) -> str:
    return path.name


@pytest.mark.parametrize("name", sorted(set(NAMES)))
def test_a_name_of_the_architecture_page_imports(name: str) -> None:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        module, _, attribute = name.rpartition(".")
        assert hasattr(importlib.import_module(module), attribute), name


def test_the_architecture_page_names_the_rooms() -> None:
    rooms = [p.parent.name for p in (ROOT / "gmps_robot").glob("*/__init__.py")]
    missing = [room for room in rooms if f"gmps_robot.{room}" not in NAMES]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_inside_the_repository_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_paths_that_are_named_exist(page: Path) -> None:
    rooms = "gmps_robot|sim|calibration|ros2_ws|tests|benchmarks|docs|scripts"
    named = re.findall(rf"`((?:{rooms})/[\w./-]*)`", page.read_text())
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_make_targets_and_commands_that_are_named_exist(page: Path) -> None:
    text = page.read_text()
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"(?:^|`)make ([a-z][\w-]*)", text, re.MULTILINE))
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []
    named = re.findall(r"(?:^|`)gmps ([a-z][\w-]*)(?: ([a-z][\w-]*))?", text, re.MULTILINE)
    commands = {f"{first} {second}" if first in groups() and second else first for first, second in named}
    assert commands <= {*COMMANDS, *groups()}


def test_the_readme_starts_with_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text()
    assert readme.index("make adapt ") < readme.index("make test ")
    assert "docs/results.md" in readme


def test_the_tables_of_results_are_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    results = importlib.import_module("results")
    page = (ROOT / "docs/results.md").read_text()
    assert results.filled(page) == page
    wanted = {name for names in results.plan().values() for name in names}
    assert all((ROOT / f"docs/results/{name}.json").is_file() for name in wanted)
