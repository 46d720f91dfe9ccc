"""Catalogues to test on: an SQLite file, and a PostgreSQL server that runs for the tests alone."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

START_SECONDS = 60


def server_programs() -> Path:
    """The folder of initdb and postgres: PATH, else Debian's newest."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    assert versions, "no PostgreSQL here: apt-get install postgresql (make setup-test does it)"
    return versions[-1]


def unprivileged() -> dict[str, object]:
    """PostgreSQL refuses to run as root; then it runs as nobody."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The socket folder of a server of our own, on no network; stopped by its pid."""
    programs, who = server_programs(), unprivileged()
    with tempfile.TemporaryDirectory(prefix="gmps-pg-") as name:  # short: a socket's path has at most 107 characters
        place = Path(name)
        if who:
            os.chown(place, int(str(who["user"])), int(str(who["group"])))
        clean = {"PATH": f"{programs}:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": name}
        initdb = [programs / "initdb", "-D", place / "db", "-U", "gmps", "--auth=trust", "--no-sync", "-E", "UTF8"]
        made = subprocess.run(initdb, cwd=place, env=clean, capture_output=True, text=True, check=False, **who)  # type: ignore[call-overload]
        assert made.returncode == 0, made.stderr
        options = ["-c", "listen_addresses=", "-c", "fsync=off", "-c", "shared_buffers=16MB", "-k", name]
        log = place / "log"
        with log.open("w") as output:
            server = subprocess.Popen(
                [programs / "postgres", "-D", place / "db", *options], cwd=place, env=clean,
                stdout=output, stderr=output, **who,
            )  # type: ignore[call-overload]  # fmt: skip
        try:
            wait_until_ready(server, name, log)
            yield name
        finally:
            server.terminate()
            server.wait(START_SECONDS)


def wait_until_ready(server: subprocess.Popen[bytes], folder: str, log: Path) -> None:
    import psycopg

    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        try:
            psycopg.connect(f"host={folder} user=gmps dbname=postgres").close()
            return
        except psycopg.OperationalError:
            time.sleep(0.05)
    raise AssertionError(f"the PostgreSQL server did not start:\n{log.read_text()}")


@pytest.fixture
def postgres_url(postgres: str) -> str:
    """A fresh database on the server."""
    import psycopg

    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(f"host={postgres} user=gmps dbname=postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
    return f"postgresql://gmps@/{name}?host={postgres}"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a catalogue may live."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'data' / 'catalog.db'}"
    return str(request.getfixturevalue("postgres_url"))
