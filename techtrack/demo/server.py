"""The platform as a process of its own, started and ended by the demo."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from django.conf import settings

READY_WITHIN = 60.0
STOPS_WITHIN = 15.0


class NotReady(Exception):
    """The platform did not come up; the message says where to read why."""


class Server:
    """``techtrack up`` as a child process."""

    def __init__(self, *, host: str, port: int, log: Path, settings_: Mapping[str, str]) -> None:
        self.host, self.port = host, port
        self._log = log
        self._environment = {**os.environ, "TECHTRACK_HOME": str(settings.HOME), **settings_}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{reachable(self.host)}:{self.port}"

    def start(self) -> None:
        """Begin; it is not ready yet."""
        command = [sys.executable, "-m", "techtrack.cli", "up", "--host", self.host, "--port", str(self.port)]
        with self._log.open("ab") as log:
            # A session of its own: Ctrl-C reaches the demo alone, which then ends its child in good order.
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                command, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def wait(self, *, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Return when /readyz says that it is ready.

        Raises:
            NotReady: it ended, or took too long.
        """
        deadline = time.monotonic() + READY_WITHIN
        while not is_ready(self.host, self.port):
            if not self.alive() or time.monotonic() > deadline:
                raise NotReady(f"The platform did not start; {self._log} says why.")
            meanwhile()
            time.sleep(0.1)

    def alive(self) -> bool:
        """Tell whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """Pull the plug: it gets no chance to finish anything."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """Let it finish what it does, and end it."""
        if self._process is None or not self.alive():
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            self.kill()


def is_ready(host: str, port: int | None) -> bool:
    """Tell whether a platform there says that it is ready."""
    connection = http.client.HTTPConnection(reachable(host), port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def reachable(host: str) -> str:
    """Return the address by which this machine reaches a server that listens on ``host``."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound  # nosec B104


def why_not(host: str, port: int) -> str:
    """Return why nobody can listen there, empty when somebody can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror or str(error)
    return ""


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
