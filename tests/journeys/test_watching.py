"""A worker is killed: a web process notices, and the message that tells of it gets out although nobody else sends."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.platform import ROOT, Platform, database_url

pytestmark = pytest.mark.xdist_group("campaigns")
PATIENCE = 90.0


class Monitor:
    """The address of a dead man's switch; counts how often it was asked for."""

    def __init__(self) -> None:
        self.pings = 0
        monitor = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                monitor.pings += self.path == "/ping/1234"
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/ping/1234"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Divided(Platform):
    """A platform whose pages and whose work are processes of their own, as in production."""

    def __init__(self, home: Path, *, database_url: str, settings: dict[str, str]) -> None:
        super().__init__(home, database_url=database_url, settings=settings)
        self.workers: list[subprocess.Popen[bytes]] = []

    def start_worker(self) -> None:
        """Start another worker."""
        with (self.home / "worker.log").open("ab") as log:
            command = [sys.executable, "-m", "techtrack.cli", "worker"]
            self.workers.append(subprocess.Popen(command, env=self.env, cwd=ROOT, stdout=log, stderr=log))

    def kill_worker(self) -> None:
        """Kill the worker: it cannot say a word."""
        self.workers[-1].send_signal(signal.SIGKILL)
        assert self.workers[-1].wait(30) == -signal.SIGKILL

    def stop(self) -> None:
        """End all of them."""
        for worker in self.workers:
            worker.terminate()
            worker.wait(30)
        super().stop()

    def active(self) -> list[str]:
        """What the platform finds wrong with itself."""
        rows = self.call("GET", "/api/alerts/", params={"page_size": "100"}).json()["results"]
        return [row["parameter"] for row in rows if row["status"].startswith("active")]


@pytest.fixture
def monitor() -> Iterator[Monitor]:
    made = Monitor()
    yield made
    made.close()


@pytest.fixture
def plant(tmp_path, mailbox, monitor, worker_id) -> Iterator[Divided]:
    settings = {
        "EMAIL_URL": mailbox.url,
        "TECHTRACK_EMBEDDED_WORKERS": "false",
        "TECHTRACK_WATCH_SECONDS": "1",
        "TECHTRACK_DEADMAN_URL": monitor.url,
        # The disk of whoever runs this may be fuller than it should be.
        "TECHTRACK_LEAST_DISK": "0",
    }
    url = database_url(tmp_path, f"techtrack_watching_{worker_id}")
    running = Divided(tmp_path, database_url=url, settings=settings)
    try:
        running.start()
        running.make_admin()
        yield running
    finally:
        running.stop()


def eventually(look: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not look():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.1)


def test_a_killed_worker_is_told_by_a_web_process_that_sends_the_message_itself(plant, mailbox, monitor):
    # Nobody has come to work yet: that is told too, to nobody as yet.
    eventually(lambda: plant.active() == ["no_worker"])
    assert monitor.pings == 0
    plant.start_worker()
    eventually(lambda: plant.active() == [])
    eventually(lambda: monitor.pings)
    mail = {"name": "Shift", "kind": "email", "config": {"to": ["shift@example.org"]}}
    channel = plant.call("POST", "/api/channels/", json=mail)
    assert channel.status_code == 201, channel.text
    body = {"name": "The platform", "tags": ["techtrack"], "channels": [channel.json()["id"]]}
    route = plant.call("POST", "/api/routes/", json=body)
    assert route.status_code == 201, route.text

    plant.kill_worker()

    eventually(lambda: mailbox.has("CRITICAL", "No worker is at work"))
    assert plant.active() == ["no_worker"]
    assert plant.call("GET", "/readyz").json() == {"status": "ready", "troubles": ["no_worker"]}
    assert 'techtrack_troubles{kind="no_worker"} 1.0' in plant.call("GET", "/metrics").text
    assert "no process judges and sends at this moment" in doctor(plant)

    plant.start_worker()

    eventually(lambda: mailbox.has("[returned", "No worker is at work"))
    assert plant.active() == []
    assert plant.call("GET", "/readyz").json() == {"status": "ready"}
    assert f"{plant.workers[-1].pid} judges and sends" in doctor(plant)


def doctor(plant: Divided) -> str:
    """What ``techtrack doctor`` says; the port is taken, and that is its only complaint at the end."""
    command = [sys.executable, "-m", "techtrack.cli", "doctor"]
    done = subprocess.run(command, env=plant.env, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout
