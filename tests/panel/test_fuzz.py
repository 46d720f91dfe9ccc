"""The whole API against what OpenAPI says of it: a sample as administrator here, every role in `make fuzz`."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from gmps_robot.panel.app import create_api
from gmps_robot.panel.auth import ROLES, Door, Person, Role
from gmps_robot.panel.context import Panel
from gmps_robot.panel.demo import FakeBridge
from gmps_robot.panel.demo_archive import DemoArchive
from gmps_robot.panel.rights import RIGHTS
from gmps_robot.panel.settings import PanelSettings
from tests.panel.conftest import ADMIN, Clock

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis
    from schemathesis import GenerationMode
    from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))  # per route and role; 0: the sample
FUZZED: tuple[Role | None, ...] = (None, *ROLES) if EXAMPLES else ("admin",)
SAMPLE = 2


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Panel]:
    folder, clock = tmp_path_factory.mktemp("fuzz"), Clock()
    bridge = FakeBridge(clock=clock)
    door = Door(clock, token=ADMIN)
    panel = Panel.of(bridge, DemoArchive(folder, bridge), PanelSettings(port=0, runs=Path(folder) / "runs"), door)
    yield panel
    panel.journal.close()


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("role", FUZZED)
def test_no_request_is_an_error_of_ours_and_rights_hold(fuzzed: Panel, role: Role | None) -> None:
    schema = schemathesis.openapi.from_asgi(
        "/api/openapi.json", create_api(fuzzed), headers={"authorization": f"Bearer {ADMIN}", "host": "127.0.0.1"}
    )
    headers = {"host": "127.0.0.1", "x-gmps": "1"}
    if role is not None:
        headers["authorization"] = f"Bearer {fuzzed.door.issue('bearer', Person(role, role))}"
    for result in schema.get_all_operations():
        _fuzz(result.ok(), role, headers)


def _fuzz(operation: schemathesis.APIOperation, role: Role | None, headers: dict[str, str]) -> None:
    route = f"{operation.method.upper()} {operation.path}"
    right = RIGHTS[route]
    may = right == "public" or (role is not None and Person(role, role).may(right))

    good = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    bad = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)

    @given(case=good | bad)
    @settings(
        max_examples=EXAMPLES or SAMPLE, deadline=None, phases=[Phase.generate], derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )
    def run(case: schemathesis.Case) -> None:
        answer = case.call(headers=headers, timeout=60)
        told = f"{route} as {role}: {answer.status_code} {answer.text[:300]}"
        assert answer.status_code < 500 or answer.status_code == 503, told
        if not may:
            assert answer.status_code == (401 if role is None else 403), told
            return
        assert answer.status_code not in (401, 403) or operation.path == "/api/login", told
        case.validate_response(answer, checks=[response_schema_conformance, status_code_conformance])

    run()
