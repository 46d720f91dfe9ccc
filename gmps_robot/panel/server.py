"""Run the panel: in the foreground, or in a thread beside a ROS executor."""

from __future__ import annotations

import errno
import socket
import ssl
import threading
import time
from types import TracebackType

import uvicorn
from fastapi import FastAPI

from gmps_robot.errors import ConfigError, SetupError
from gmps_robot.panel.settings import PanelSettings


class PanelServer:
    """A web server for `app`. The port is taken at once, so that a taken one is an error before anything starts.

    Raises:
        ConfigError: the port is taken, this user may not open it, or certificate or key cannot be read.
    """

    def __init__(self, app: FastAPI, settings: PanelSettings) -> None:
        self._socket = bind(settings)
        host, port = self._socket.getsockname()[:2]
        self.port: int = port
        scheme, shown = ("https" if settings.tls else "http"), _shown(host)
        self.url = f"{scheme}://{shown}:{port}"
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, lifespan="on", timeout_graceful_shutdown=2,
            ws_ping_interval=5.0, ws_ping_timeout=10.0, ws_max_size=64 * 1024, server_header=False,
            proxy_headers=False,  # a header must not choose the address that wrong tokens are counted for
            ssl_certfile=settings.certificate or None, ssl_keyfile=settings.key or None,
        )
        if settings.tls:
            _load(config, settings)
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None

    def login_url(self, secret: str) -> str:
        """Return the login link of `secret`. Browsers keep what follows the # to themselves."""
        return f"{self.url}/login#{secret}"

    def run(self) -> None:
        """Serve in this thread until Ctrl-C."""
        self._server.run(sockets=[self._socket])

    def start(self, timeout: float = 20.0) -> None:
        """Serve in a thread of its own; return when the page answers.

        Raises:
            SetupError: the server did not come up; its log says why.
        """
        self._thread = threading.Thread(target=self.run, name="panel", daemon=True)
        self._thread.start()
        end = time.monotonic() + timeout
        while not self._server.started:
            if time.monotonic() > end or not self._thread.is_alive():
                raise SetupError(f"the panel at {self.url} did not start within {timeout:.0f} s; see the lines above")
            time.sleep(0.02)

    def stop(self, timeout: float = 5.0) -> None:
        """End the thread and free the port."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(timeout)
        self._socket.close()

    def __enter__(self) -> PanelServer:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def _shown(host: str) -> str:
    """The address to open in a browser for one that is listened on."""
    if host in ("0.0.0.0", "::"):
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host


def bind(settings: PanelSettings) -> socket.socket:
    """Open the listening socket.

    Raises:
        ConfigError: the port is taken, or this user may not open it.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise ConfigError(_why(settings, error)) from error
    return listener


def _load(config: uvicorn.Config, settings: PanelSettings) -> None:
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"panel certificate = {settings.certificate!r}, key = {settings.key!r}: not a readable PEM certificate and "
            f"its key ({error})"
        ) from error


def _why(settings: PanelSettings, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {settings.port} on {settings.host} is taken, perhaps by another panel; end that program "
            f"(find it with: ss -ltnp 'sport = :{settings.port}') or choose another port, such as {settings.port + 1}"
        )
    if error.errno == errno.EACCES:
        return f"port {settings.port}: this user may not open it; choose one above 1023, such as 8080"
    return f"panel cannot listen on {settings.host}:{settings.port}: {error.strerror}"
