"""A PostgreSQL server of a campaign's own: as durable as a stock one; it may be killed, or found after a power cut."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

import psycopg

from tests import servers


class Server(servers.Cluster):
    """One data folder and the server on it; ``options`` are settings of postgres."""

    def __init__(self, folder: Path, *, sockets: Path, **options: str) -> None:
        binaries = servers._postgres_binaries(servers._root())
        if binaries is None:
            servers.missing("PostgreSQL", "apt-get install postgresql")
        super().__init__(Path(str(binaries)), folder)
        self._sockets, self._options = sockets, options
        self.url = f"postgres://techtrack@{quote(str(sockets), safe='')}/postgres"

    def create(self) -> None:
        """Make the data folder."""
        self._folder.mkdir(exist_ok=True)
        self._give(self._folder)
        self._run("initdb", "-D", self._data, "-U", "techtrack", "-A", "trust", "-E", "UTF8", "--locale=C")

    def start(self) -> str:
        """Start it, recover if need be, and return its address once it answers."""
        self._sockets.mkdir(exist_ok=True)
        self._give(self._sockets)
        (self._folder / "data" / "postmaster.pid").unlink(missing_ok=True)
        options = {"listen_addresses": "", "unix_socket_directories": str(self._sockets), "max_connections": "60"}
        flags = [part for name, value in {**options, **self._options}.items() for part in ("-c", f"{name}={value}")]
        with (self._sockets / "log").open("ab") as log:
            command = self._command("postgres", "-D", self._data, *flags)
            self._server = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", start_new_session=True)
        deadline = time.monotonic() + 30
        while not self.answers():
            assert time.monotonic() < deadline, (self._sockets / "log").read_text()[-3000:]
            assert self._server.poll() is None, (self._sockets / "log").read_text()[-3000:]
            time.sleep(0.05)
        return self.url

    def answers(self) -> bool:
        """Tell whether it takes connections."""
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def kill(self) -> None:
        """Kill the server and all of its processes at once, as a crash does."""
        if self._server is not None:
            children = _children(self._server.pid)
            for child in children:
                subprocess.run(["kill", "-9", str(child)], check=False, capture_output=True)
            self._server.kill()
            self._server.wait(timeout=30)
            self._server = None
            _until_gone(children)

    def _give(self, folder: Path) -> None:
        folder.chmod(0o700)
        for parent in (folder, *folder.parents):
            if parent.stat().st_uid == 0 and parent != folder:
                parent.chmod(parent.stat().st_mode | 0o011)
        shutil.chown(folder, self._user)


def _until_gone(pids: list[int]) -> None:
    """Return when they are: a server does not start while one of the last holds its shared memory."""
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.01)


def _children(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]
