"""Zabbix 6.0 on PostgreSQL, given values by its trapper as zabbix_sender does."""

from __future__ import annotations

import gzip
import json
import os
import pwd
import shutil
import socket
import struct
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.load import Load
from benchmarks.postgres import Postgres
from benchmarks.processes import Server, cpu_seconds, free_port, package_version
from benchmarks.system import NotInstalled

SQL = Path("/usr/share/zabbix-server-pgsql")
# As many as one zabbix_sender sends in one packet.
PACKET = 250
SENDERS = 4
SETTINGS = """
LogType=console
DebugLevel=1
ListenIP=127.0.0.1
ListenPort={port}
DBHost={host}
DBPort={db_port}
DBName={database}
DBUser=techtrack
PidFile={folder}/pid
SocketDir={folder}
CacheSize=64M
HistoryCacheSize=64M
StartTrappers=5
StartDBSyncers=4
"""
HOSTS = """
INSERT INTO hosts (hostid, host, name, status) SELECT 100000 + n, 'machine-' || n, 'machine-' || n, 0
FROM generate_series(1, {machines}) n;
INSERT INTO items (itemid, hostid, name, key_, type, value_type, delay, history, trends, params, description, posts,
                   headers, status)
SELECT 1000000 + n * 10 + p, 100000 + n, code, code, 2, 0, '0', '90d', '365d', '', '', '', '', 0
FROM generate_series(1, {machines}) n, unnest(ARRAY[{codes}]) WITH ORDINALITY AS t (code, p);
INSERT INTO item_rtdata (itemid) SELECT itemid FROM items WHERE itemid > 1000000
ON CONFLICT DO NOTHING;
"""


class Zabbix:
    """The server; it acknowledges what lies in its memory, so a measurement ends when the table holds it."""

    name = "Zabbix"

    def __init__(self, postgres: Postgres, *, machines: int, codes: tuple[str, ...]) -> None:
        program = self.find()
        self.version = package_version("zabbix-server-pgsql")
        self.folder = Path(tempfile.mkdtemp(prefix="bench-zabbix-"))
        self._postgres, self._database = postgres, f"zabbix_{self.folder.name.rpartition('-')[2].lower()}"
        postgres.create(self._database)
        self._fill(machines, codes)
        # It listens on no port above 32767.
        self.port = free_port(range(20_051, 32_768))
        self._server = self._start(program)
        self._server.wait_for(self._listens)

    @staticmethod
    def find() -> str:
        """Return the path of the server.

        Raises:
            NotInstalled: it is not on this machine.
        """
        program = shutil.which("zabbix_server", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
        if program is None or not (SQL / "schema.sql.gz").exists():
            raise NotInstalled("Zabbix: not installed (apt-get install zabbix-server-pgsql)")
        return program

    @property
    def pids(self) -> list[int]:
        """The first processes of all that it consists of."""
        return [self._server.pid, self._postgres.pid]

    def packets(self, load: Load, ticks: int) -> list[bytes]:
        """Write the values of some ticks as the sender does."""
        values = [
            {"host": f"machine-{asset}", "key": code, "value": text, "clock": at // 1_000_000, "ns": 0}
            for asset, at, texts in load.rows(0, ticks, range(1, load.values.shape[1] + 1))
            for code, text in zip(load.codes, texts, strict=True)
        ]
        return [_framed(values[first : first + PACKET]) for first in range(0, len(values), PACKET)]

    def send(self, packets: list[bytes]) -> tuple[float, float]:
        """Send them from four at once and wait until the table holds all; return seconds and CPU seconds."""
        before = self._stored()
        cpu, began = cpu_seconds(self.pids), time.perf_counter()
        with ThreadPoolExecutor(SENDERS) as senders:
            taken = sum(senders.map(self._send, packets))
        assert taken, "Zabbix processed no value"
        while self._stored() - before < taken:
            assert time.perf_counter() - began < 300, f"{self._stored() - before} of {taken} values were stored"
            time.sleep(0.2)
        return time.perf_counter() - began, cpu_seconds(self.pids) - cpu

    def stored_bytes(self) -> int:
        """Return the size of the table of values."""
        with self._postgres.connect(self._database, autocommit=True) as connection:
            connection.execute("VACUUM FULL history")
            found = connection.execute("SELECT pg_total_relation_size('history')").fetchone()
        return int(found[0]) if found else 0

    def stop(self) -> None:
        """End it and remove what it wrote."""
        self._server.stop()
        self._postgres.drop(self._database)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _stored(self) -> int:
        with self._postgres.connect(self._database) as connection:
            found = connection.execute("SELECT count(*) FROM history").fetchone()
        return int(found[0]) if found else 0

    def _send(self, packet: bytes) -> int:
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as line:
            line.sendall(packet)
            parts = []
            while part := line.recv(65_536):
                parts.append(part)
        told: Any = json.loads(b"".join(parts)[13:])
        processed, _, rest = told["info"].partition(";")
        assert " failed: 0" in f" {rest}", told
        return int(processed.rpartition(" ")[2])

    def _fill(self, machines: int, codes: tuple[str, ...]) -> None:
        said = ", ".join(f"'{code}'" for code in codes)
        texts = [
            gzip.decompress((SQL / f"{name}.sql.gz").read_bytes()).decode() for name in ("schema", "images", "data")
        ]
        with self._postgres.connect(self._database, autocommit=True) as connection:
            for text in [*texts, HOSTS.format(machines=machines, codes=said)]:
                connection.execute(text.encode())

    def _start(self, program: str) -> Server:
        config = self.folder / "zabbix.conf"
        config.write_text(
            SETTINGS.format(
                port=self.port,
                host=self._postgres.folder,
                db_port=self._postgres.port,
                database=self._database,
                folder=self.folder,
            )
        )
        command = [program, "-f", "-c", str(config)]
        if not os.geteuid():
            # It runs as its own user, who owns this folder and may connect to the socket.
            entry = pwd.getpwnam("postgres")
            shutil.chown(self.folder, "postgres")
            os.chown(config, entry.pw_uid, entry.pw_gid)
            command = [
                "setpriv",
                f"--reuid={entry.pw_uid}",
                f"--regid={entry.pw_gid}",
                "--clear-groups",
                "--",
                *command,
            ]
        return Server(command, log=self.folder / "log")

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True


def _framed(values: list[dict[str, Any]]) -> bytes:
    body = json.dumps({"request": "sender data", "data": values}).encode()
    return b"ZBXD\x01" + struct.pack("<II", len(body), 0) + body
