"""TechTrack as its users start it: ``techtrack up`` with a data folder of its own, on SQLite or PostgreSQL."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks import client
from benchmarks.load import Load, as_items, stamp
from benchmarks.postgres import Postgres
from benchmarks.processes import Server, answers, free_port
from benchmarks.system import System

ROOT = Path(__file__).resolve().parents[1]
# What a developer has set for a running platform must not leak into the measured one.
FOREIGN = ("REDIS_URL", "EMAIL_URL", "DEBUG", "SECRET_KEY", "HOST", "PORT", "ALLOWED_HOSTS", "LOG_LEVEL")
TABLES = ("telemetry_chunk", "telemetry_rollup", "telemetry_dayrollup", "telemetry_latest", "telemetry_segment")
Body = Callable[[Load, int, int, Any], bytes]


class TechTrack(System):
    """One process with everything in it, or as many as the settings say; on PostgreSQL that server is a part of it."""

    name = "TechTrack"

    def __init__(self, postgres: Postgres | None = None, *, body: Body = as_items, **settings: str) -> None:
        self._postgres, self._body = postgres, body
        template, told = _template(postgres)
        self.machines, self.keys, self.site = told["machines"], told["keys"], told["site"]
        self.folder = Path(tempfile.mkdtemp(prefix="bench-techtrack-"))
        self.home = self.folder / "home"
        shutil.copytree(template, self.home)
        if postgres:
            self._database = f"techtrack_{self.folder.name.rpartition('-')[2].lower()}"
            postgres.create(self._database, template="techtrack_plant")
        self.env = _environment(self.home, postgres.url(self._database) if postgres else None) | settings
        self._servers: list[Server] = []
        self._folding = 0.0
        self.restart()

    def restart(self) -> None:
        """Start it, anew if it runs."""
        self.end()
        self.port = free_port()
        self._servers = self._start()

    def end(self) -> None:
        """End its processes; what it stored stays."""
        for server in reversed(self._servers):
            server.stop()
        self._servers = []

    def stop(self) -> None:
        self.end()
        if self._postgres:
            self._postgres.drop(self._database)
        shutil.rmtree(self.folder, ignore_errors=True)

    def load_past(self, *, first: int, count: int, ticks: int, step: int, end: datetime) -> int:
        """Store a past in a process of its own while the platform runs; return how many values it had."""
        return int(_plant(self.env, str(first), str(count), str(ticks), str(step), end.isoformat()))

    def lay_rules(self, number: int) -> None:
        """Let it judge so many rules, of all kinds and quiet, and no others."""
        _plant(self.env, "rules", str(number))

    def make_people(self, number: int) -> dict[str, Any]:
        """Make so many engineers; return their names, their password, and what they look after."""
        told: dict[str, Any] = json.loads(_plant(self.env, "people", str(number)))
        return told

    @property
    def pids(self) -> list[int]:
        return [server.pid for server in self._servers] + ([self._postgres.pid] if self._postgres else [])

    def cpu(self) -> float:
        return super().cpu() + self._folding

    def settle(self) -> bool:
        # What came in the hour that still runs is folded when it closes: that is done now, and counts.
        rests = super().settle()
        self._folding += json.loads(_plant(self.env, "fold"))["cpu"]
        return super().settle() and rests

    def headers(self, scope: str) -> dict[str, str]:
        """The headers of a request with the key for ``scope``."""
        return {"Authorization": f"Api-Key {self.keys[scope]}", "Content-Type": "application/json"}

    def get_request(self, path: str) -> bytes:
        return client.request("GET", path, headers=self.headers("read"))

    def write_request(self, load: Load, first: int, last: int, machines: Sequence[int] | None = None) -> bytes:
        body = self._body(load, first, last, machines or self.machines)
        return client.request("POST", "/api/ingest/", body, self.headers("ingest"))

    def single_request(self, load: Load, tick: int, machine: int) -> bytes:
        values = zip(load.codes, load.decimals, load.values[tick, machine].tolist(), strict=True)
        said = ",".join(f'"{code}":{value:.{places}f}' for code, places, value in values)
        when = stamp(int(load.times[tick]))
        body = f'{{"items":[{{"asset":{self.machines[machine]},"timestamp":"{when}","values":{{{said}}}}}]}}'
        return client.request("POST", "/api/ingest/", body.encode(), self.headers("ingest"))

    def stored_bytes(self) -> int:
        return sum(self.bytes_by_table().values())

    def unfolded(self) -> int:
        """Return how many readings of the log are not yet in chunks."""
        asked = (
            "SELECT coalesce(sum(readings), 0) FROM telemetry_segment WHERE position > "
            "coalesce((SELECT max(position) FROM telemetry_logconsumer WHERE name = 'store'), 0)"
        )
        if self._postgres:
            with self._postgres.connect(self._database) as connection:
                found = connection.execute(asked).fetchone()
        else:
            with sqlite3.connect(self.home / "techtrack.sqlite3") as connection:
                found = connection.execute(asked).fetchone()
        return int(found[0]) if found else 0

    def bytes_by_table(self) -> dict[str, int]:
        """Return the pages of each table of readings with its indexes, after a vacuum; on SQLite it has then ended."""
        _plant(self.env, "sweep")
        if self._postgres:
            with self._postgres.connect(self._database, autocommit=True) as connection:
                connection.execute("VACUUM FULL")
                asked = "SELECT relname, pg_total_relation_size(oid) FROM pg_class WHERE relkind = 'r'"
                return {name: size for name, size in connection.execute(asked).fetchall() if name in TABLES}
        self.end()
        with sqlite3.connect(self.home / "techtrack.sqlite3") as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            asked = "SELECT s.tbl_name, sum(d.pgsize) FROM dbstat d JOIN sqlite_master s ON s.name = d.name GROUP BY 1"
            return {name: size for name, size in connection.execute(asked) if name in TABLES}

    def _start(self) -> list[Server]:
        command = [sys.executable, "-m", "techtrack.cli", "up", "--port", str(self.port)]
        server = Server(command, log=self.folder / "log", env=self.env, cwd=ROOT)
        server.wait_for(lambda: answers(f"http://127.0.0.1:{self.port}/readyz"))
        return [server]


def _environment(home: Path, database_url: str | None) -> dict[str, str]:
    kept = (name for name in os.environ if name not in FOREIGN and not name.startswith("TECHTRACK_"))
    env = {name: os.environ[name] for name in kept}
    return env | {
        "DJANGO_SETTINGS_MODULE": "techtrack.config.settings",
        "PYTHON_DOTENV_DISABLED": "1",
        "TECHTRACK_HOME": str(home),
        # All sockets of the fan-out are one key's, on one machine.
        "TECHTRACK_LIVE_SOCKETS_PER_ADDRESS": "5000",
        "TECHTRACK_LIVE_SOCKETS_PER_CALLER": "5000",
        "DATABASE_URL": database_url or f"sqlite:///{home / 'techtrack.sqlite3'}",
    }


@cache
def _template(postgres: Postgres | None) -> tuple[Path, dict[str, Any]]:
    """Make the plant once for each database; every measured platform is a copy of it."""
    home = Path(tempfile.mkdtemp(dir=_templates()))
    if postgres:
        postgres.create("techtrack_plant")
    told: dict[str, Any] = json.loads(_plant(_environment(home, postgres.url("techtrack_plant") if postgres else None)))
    return home, told


@cache
def _templates() -> Path:
    import atexit

    folder = Path(tempfile.mkdtemp(prefix="bench-plant-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _plant(env: Mapping[str, str], *arguments: str) -> str:
    command = [sys.executable, "-m", "benchmarks.plant", *arguments]
    done = subprocess.run(command, env=dict(env), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()[-1]
