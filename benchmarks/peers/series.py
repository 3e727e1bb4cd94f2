"""The two time-series databases that Debian packages: VictoriaMetrics and InfluxDB."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from benchmarks import client
from benchmarks.load import Load, as_lines
from benchmarks.processes import Server, answers, bytes_below, free_port, package_version
from benchmarks.system import NotInstalled, System

TEXT = {"Content-Type": "text/plain"}
INFLUX = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
  cache-snapshot-write-cold-duration = "4s"
  compact-full-write-cold-duration = "6s"
  max-concurrent-compactions = 2
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
  max-body-size = 0
[monitor]
  store-enabled = false
[logging]
  level = "warn"
"""


class LineProtocol(System):
    """A database that takes InfluxDB's line protocol."""

    program: ClassVar[str]
    write_path: ClassVar[str]
    package: ClassVar[str]

    def __init__(self, *, machines: int) -> None:
        path = shutil.which(self.program)
        if path is None:
            raise NotInstalled(f"{self.program} is not installed")
        self.version = package_version(self.package)
        self.machines = range(1, machines + 1)
        self.folder = Path(tempfile.mkdtemp(prefix="bench-"))
        self.port = free_port()
        self._server = self._start(path)
        self._server.wait_for(lambda: answers(f"http://127.0.0.1:{self.port}/ping"))

    @property
    def pids(self) -> list[int]:
        return [self._server.pid]

    def stop(self) -> None:
        self._server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def write_request(self, load: Load, first: int, last: int, machines: Sequence[int] | None = None) -> bytes:
        return client.request("POST", self.write_path, as_lines(load, first, last, machines or self.machines), TEXT)

    def single_request(self, load: Load, tick: int, machine: int) -> bytes:
        values = zip(load.codes, load.decimals, load.values[tick, machine].tolist(), strict=True)
        said = ",".join(f"{code}={value:.{places}f}" for code, places, value in values)
        line = f"machine,asset={self.machines[machine]} {said} {int(load.times[tick]) // 1000}"
        return client.request("POST", self.write_path, line.encode(), TEXT)

    def _start(self, path: str) -> Server:
        raise NotImplementedError


class VictoriaMetrics(LineProtocol):
    """VictoriaMetrics, single node. It answers before anything is on disk."""

    name = "VictoriaMetrics"
    program = "victoria-metrics"
    package = "victoria-metrics"
    write_path = "/write?precision=ms"
    durable = False
    # What lies in memory goes to disk after five seconds, merges follow.
    begins_to_settle = 8.0

    def _start(self, path: str) -> Server:
        command = [
            path,
            f"-storageDataPath={self.folder / 'data'}",
            f"-httpListenAddr=127.0.0.1:{self.port}",
            "-retentionPeriod=100y",
            "-loggerLevel=WARN",
            "-search.latencyOffset=0s",
            "-search.disableCache",
        ]
        return Server(command, log=self.folder / "log")

    def stored_bytes(self) -> int:
        # It writes what it holds in memory, and merges, when told to; then the files tell the truth.
        client.ask(self.port, client.request("GET", "/internal/force_flush"))
        client.ask(self.port, client.request("GET", "/internal/force_merge"))
        self.settle()
        return bytes_below(self.folder / "data")


class InfluxDB(LineProtocol):
    """InfluxDB 1.x, which commits to its log before it answers."""

    name = "InfluxDB"
    program = "influxd"
    package = "influxdb"
    write_path = "/write?db=bench&precision=ms"
    begins_to_settle = 12.0

    def __init__(self, *, machines: int) -> None:
        super().__init__(machines=machines)
        made = client.ask(self.port, client.request("POST", "/query?q=CREATE+DATABASE+bench"))
        assert made[0] == 200, made

    def _start(self, path: str) -> Server:
        config = self.folder / "influx.conf"
        config.write_text(INFLUX.format(folder=self.folder, port=self.port, rpc=free_port()))
        return Server([path, "-config", str(config)], log=self.folder / "log")

    def stored_bytes(self) -> int:
        return bytes_below(self.folder / "data") + bytes_below(self.folder / "wal")
