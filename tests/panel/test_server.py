"""Starting the panel: where it may listen, and what it says when it cannot."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
from contextlib import closing
from dataclasses import replace

import httpx
import pytest

from gmps_robot.errors import ConfigError
from gmps_robot.panel import gate
from gmps_robot.panel.app import create_api
from gmps_robot.panel.auth import Person
from gmps_robot.panel.context import Panel
from gmps_robot.panel.server import PanelServer, bind
from gmps_robot.panel.settings import TOKEN_LENGTH, PanelSettings
from tests.panel.conftest import BEARER

Pair = tuple[str, str]  # files of a certificate and its key


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A certificate of nobody but these tests."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = str(folder / "certificate.pem"), str(folder / "key.pem")
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    words += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run(words, check=True, capture_output=True)
    return certificate, key


@pytest.mark.parametrize("host", ["0.0.0.0", "203.0.113.5", "::", "robot.lab", ""])
def test_listening_elsewhere_needs_a_token_and_tls_or_a_word(host: str) -> None:
    token = "t" * TOKEN_LENGTH
    with pytest.raises(ConfigError, match="needs a token") as error:
        PanelSettings(host=host)
    assert "127.0.0.1" in str(error.value)
    assert repr(host) in str(error.value)
    with pytest.raises(ConfigError, match="needs TLS"):
        PanelSettings(host=host, token=token)
    assert PanelSettings(host=host, token=token, insecure_lan=True).tls is False
    assert PanelSettings(host=host, token=token, certificate="c.pem", key="k.pem").tls is True


def test_a_short_token_is_refused_and_no_token_is_ever_printed() -> None:
    with pytest.raises(ConfigError, match="21 characters") as error:
        PanelSettings(token="s" * 21)
    assert "s" * 21 not in str(error.value)
    assert "t" * 30 not in repr(PanelSettings(token="t" * 30))


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_cannot_be_is_named(port: int) -> None:
    with pytest.raises(ConfigError, match=str(port)):
        PanelSettings(port=port)


def test_over_tls_the_cookie_is_secure_and_plain_http_gets_nothing(panel: Panel, pair: Pair) -> None:
    certificate, key = pair
    settings = replace(panel.settings, certificate=certificate, key=key)
    trusted = ssl.create_default_context(cafile=certificate)
    with PanelServer(create_api(replace(panel, settings=settings)), settings) as server:
        assert server.url.startswith("https://127.0.0.1:")
        token = panel.door.issue("link", Person("Ada", "viewer"))
        with httpx.Client(base_url=server.url, headers={"x-gmps": "1"}, verify=trusted) as browser:
            answer = browser.post("/api/login", json={"token": token})
            assert "Secure" in answer.headers["set-cookie"]
            assert browser.get("/api/me").json()["name"] == "Ada"
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"http://127.0.0.1:{server.port}/healthz")


def test_a_certificate_that_cannot_be_read_is_named(panel: Panel, pair: Pair) -> None:
    settings = replace(panel.settings, certificate=__file__, key=pair[1])
    with pytest.raises(ConfigError, match="not a readable PEM certificate"):
        PanelServer(create_api(panel), settings)


def test_a_forwarded_address_is_not_believed(panel: Panel) -> None:
    """Else one guesser would look like many."""
    with PanelServer(create_api(panel), panel.settings) as server:
        statuses = [
            httpx.post(
                f"{server.url}/api/login", json={"token": "guess"},
                headers={"x-gmps": "1", "x-forwarded-for": f"203.0.113.{k}"},
            ).status_code
            for k in range(7)
        ]
    assert statuses == [401] * 5 + [429] * 2


def test_a_request_that_never_ends_is_given_up(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "BODY_TIME", 0.5)
    with PanelServer(create_api(panel), panel.settings) as server, socket.create_connection(
        ("127.0.0.1", server.port), 10.0
    ) as slow:
        slow.sendall(
            b"POST /api/arm/stop HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            + f"Authorization: {BEARER['authorization']}\r\nContent-Length: 100\r\n\r\n{{".encode()
        )
        assert slow.recv(4096).startswith(b"HTTP/1.1 408")
        assert httpx.get(f"{server.url}/healthz").status_code == 200


def test_a_taken_port_is_named_with_what_to_do() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} .* taken") as error:
            bind(PanelSettings(port=port))
    assert str(port + 1) in str(error.value)


def test_the_server_answers_frees_its_port_and_can_start_there_again(panel: Panel) -> None:
    with PanelServer(create_api(panel), panel.settings) as server:
        assert httpx.get(f"{server.url}/healthz").json()["ok"] is True
        again = PanelSettings(port=server.port)
    with PanelServer(create_api(panel), again) as server:
        assert httpx.get(f"{server.url}/healthz").status_code == 200


def test_the_demo_names_the_taken_port_and_ends() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "gmps_robot.panel", "--demo", "--port", str(port)],
            capture_output=True, text=True, timeout=60, check=False,
        )
    assert done.returncode == 2
    assert f"port {port}" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_panel_brings_neither_ros_nor_simulator_nor_torch_along() -> None:
    unwanted = ["rclpy", "mujoco", "sim", "torch"]
    code = f"import sys, gmps_robot.panel.app; print([m for m in {unwanted} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
