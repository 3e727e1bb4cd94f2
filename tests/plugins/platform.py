"""A real platform for journeys: ``techtrack up`` as a process of its own, with its own folder and database."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
import requests
from psycopg import sql

from tests import servers

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN = 60.0


class Platform:
    """One running platform and what a client must know of it.

    ``env`` is the environment of its process, for commands that must meet the same data folder and database.
    """

    username = "adam"
    password = "correct horse battery staple"

    def __init__(self, home: Path, *, database_url: str, settings: Mapping[str, str] | None = None) -> None:
        self.home = home
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.ws_url = f"ws://127.0.0.1:{self.port}/ws/live/"
        self.log = home / "server.log"
        self.env = _clean_environment() | {
            "TECHTRACK_HOME": str(home),
            "DATABASE_URL": database_url,
            "PYTHON_DOTENV_DISABLED": "1",
            "DJANGO_SUPERUSER_USERNAME": self.username,
            "DJANGO_SUPERUSER_PASSWORD": self.password,
            "DJANGO_SUPERUSER_EMAIL": "adam@example.org",
            **(settings or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._access = ""
        self._access_until = 0.0

    def start(self) -> None:
        """Start the server and return when ``/readyz`` says that it is ready."""
        command = [sys.executable, "-m", "techtrack.cli", "up", "--port", str(self.port)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env=self.env, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
            )
        self.wait()

    def wait(self) -> None:
        """Return when ``/readyz`` says that it is ready."""
        deadline = time.monotonic() + READY_WITHIN
        while not self._ready():
            if time.monotonic() > deadline or (self._process is not None and self._process.poll() is not None):
                self.stop()
                logs = "\n".join(log.read_text(errors="replace")[-4000:] for log in self.home.glob("*.log"))
                raise RuntimeError(f"the platform did not become ready:\n{logs}")
            time.sleep(0.05)

    def manage(self, *arguments: str) -> str:
        """Run ``manage.py`` on the platform's data; return what it printed."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, env=self.env, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def make_admin(self) -> None:
        """Make the first admin as people do it on servers, by Django's own command and variables."""
        self.manage("createsuperuser", "--noinput")

    def token(self) -> str:
        """An access token of the admin; a new one when the last one is five minutes old."""
        if time.monotonic() > self._access_until:
            body = {"username": self.username, "password": self.password}
            answer = requests.post(f"{self.url}/api/token/", json=body, timeout=10)
            answer.raise_for_status()
            self._access = answer.json()["access"]
            self._access_until = time.monotonic() + 300
        return self._access

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send one request as the admin and return the answer, whatever its status."""
        headers = {"Authorization": f"Bearer {self.token()}", **options.pop("headers", {})}
        return requests.request(method, f"{self.url}{path}", headers=headers, timeout=30, **options)

    def post_reading(self, asset: str | int, values: Mapping[str, float], timestamp: str | None = None) -> None:
        """Send one reading through the ingest door; ``asset`` is an id or a key."""
        item: dict[str, Any] = {"asset": asset, "values": dict(values)}
        if timestamp is not None:
            item["timestamp"] = timestamp
        answer = self.call("POST", "/api/ingest/", json={"items": [item]})
        assert answer.status_code == 200, answer.text

    def kill(self) -> None:
        """Pull the plug: no chance to finish anything."""
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        """Stop as Ctrl-C does; a server that does not stop within 15 s is killed. What it logged last is printed."""
        self._signal(signal.SIGINT)
        print(self.log.read_text(errors="replace")[-4000:])

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            os.killpg(self._process.pid, number)
        try:
            self._process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(timeout=15)
        self._process = None

    def _ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/readyz", timeout=2).status_code == 200
        except (requests.ConnectionError, requests.Timeout):
            return False


def free_port() -> int:
    """A port on which nothing listens at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def database_url(home: Path, name: str, *, new: bool = False) -> str:
    """A database for one platform: a file, or on PostgreSQL a database ``name``; ``new`` is wholly empty.

    Any other is as the first start of a platform leaves it, which takes seconds.
    """
    if not servers.on_postgres():
        path = home / "techtrack.sqlite3"
        if not new:
            shutil.copy(_first_start(), path)
        return f"sqlite:///{path}"
    _create(name, "template1" if new else _first_start())
    return _named(name)


@cache
def _first_start() -> str:
    """Return the path or the name of a database that a platform has just set up; one for each process of the run."""
    home = Path(tempfile.mkdtemp(prefix="first-start-", dir=os.environ[servers.ROOT_VARIABLE]))
    path, name = home / "techtrack.sqlite3", f"techtrack_first_start_{os.getpid()}"
    if servers.on_postgres():
        _create(name, "template1")
    url = _named(name) if servers.on_postgres() else f"sqlite:///{path}"
    env = _clean_environment() | {"TECHTRACK_HOME": str(home), "DATABASE_URL": url, "PYTHON_DOTENV_DISABLED": "1"}
    command = [sys.executable, "manage.py", "migrate", "-v0"]
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return name if servers.on_postgres() else str(path)


def _create(name: str, template: str) -> None:
    new, old = sql.Identifier(name), sql.Identifier(template)
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(new))
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(new, old))


def _named(name: str) -> str:
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}"))


def _clean_environment() -> dict[str, str]:
    """The environment without what arranged the tests: a platform has its own defaults."""
    ours = {"DATABASE_URL", "REDIS_URL", "EMAIL_URL", "DJANGO_SETTINGS_MODULE", "CI"}
    return {name: value for name, value in os.environ.items() if name not in ours and not name.startswith("TECHTRACK_")}


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Platform]:
    """A platform that runs from its first use to the end of the session; its admin is adam."""
    home = tmp_path_factory.mktemp("platform")
    running = Platform(home, database_url=database_url(home, f"techtrack_platform_{worker_id}"))
    running.start()
    try:
        running.make_admin()
        yield running
    finally:
        running.stop()
