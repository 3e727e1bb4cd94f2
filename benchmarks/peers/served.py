"""Peers of our own making, in the manner in which most people would build them: served over HTTP, on PostgreSQL."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from benchmarks import client
from benchmarks.load import Load, as_items, stamp
from benchmarks.postgres import Postgres
from benchmarks.processes import Server, answers, free_port
from benchmarks.system import System

ROOT = Path(__file__).resolve().parents[2]
JSON = {"Content-Type": "application/json"}


class Served(System):
    """An application on a database of its own."""

    tables: ClassVar[tuple[str, ...]]

    def __init__(self, postgres: Postgres, *, machines: int) -> None:
        self.machines = range(1, machines + 1)
        self.folder = Path(tempfile.mkdtemp(prefix="bench-served-"))
        self._postgres, self._database = postgres, f"served_{self.folder.name.rpartition('-')[2].lower()}"
        postgres.create(self._database)
        self.port = free_port()
        self._prepare()
        self._server = Server(self._command(), log=self.folder / "log", env=self._environment(), cwd=ROOT)
        self._server.wait_for(lambda: answers(f"http://127.0.0.1:{self.port}/"))

    @property
    def pids(self) -> list[int]:
        return [self._server.pid, self._postgres.pid]

    def stop(self) -> None:
        self._server.stop()
        self._postgres.drop(self._database)
        shutil.rmtree(self.folder, ignore_errors=True)

    def stored_bytes(self) -> int:
        with self._postgres.connect(self._database, autocommit=True) as connection:
            connection.execute("VACUUM FULL")
            sizes = [connection.execute("SELECT pg_total_relation_size(%s)", [name]).fetchone() for name in self.tables]
        return sum(size[0] for size in sizes if size)

    def sql(self, text: str) -> list[tuple]:
        """Ask the database itself."""
        with self._postgres.connect(self._database) as connection:
            return connection.execute(text).fetchall()

    def _prepare(self) -> None:
        """Make what must be there before it is served."""

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(ROOT)}


class PlainRows(Served):
    """One row a reading with typed columns, written in one statement a request."""

    name = "rows per reading"
    shape: ClassVar[str] = "reading"
    tables = ("reading",)

    def write_request(self, load: Load, first: int, last: int, machines: Sequence[int] | None = None) -> bytes:
        return client.request("POST", "/", as_items(load, first, last, machines or self.machines), JSON)

    def single_request(self, load: Load, tick: int, machine: int) -> bytes:
        values = zip(load.codes, load.decimals, load.values[tick, machine].tolist(), strict=True)
        said = ",".join(f'"{code}":{value:.{places}f}' for code, places, value in values)
        item = f'{{"asset":{self.machines[machine]},"timestamp":"{stamp(int(load.times[tick]))}","values":{{{said}}}}}'
        return client.request("POST", "/", f'{{"items":[{item}]}}'.encode(), JSON)

    def _command(self) -> list[str]:
        where = ["--host", "127.0.0.1", "--port", str(self.port), "--log-level", "warning"]
        return [sys.executable, "-m", "uvicorn", "benchmarks.peers.rows_app:application", *where]

    def _environment(self) -> dict[str, str]:
        dsn = f"host={self._postgres.folder} port={self._postgres.port} user=techtrack dbname={self._database}"
        return super()._environment() | {"BENCH_DSN": dsn, "BENCH_SHAPE": self.shape}


class RowPerValue(PlainRows):
    """One row a value under a unique index, as many platforms keep them."""

    name = "rows per value"
    shape = "value"
    tables = ("value",)
