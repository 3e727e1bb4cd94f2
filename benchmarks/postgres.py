"""A PostgreSQL server of the benchmark's own, which commits as durably as one in production."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks.processes import Server, free_port
from benchmarks.system import NotInstalled

SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "max_connections": "100",
    "listen_addresses": "127.0.0.1",
}


class Postgres:
    """The server; every system that needs one gets a database of its own in it."""

    def __init__(self) -> None:
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))  # noqa: PTH207 - absolute
        if not found:
            raise NotInstalled("PostgreSQL is not installed")
        self._binaries = Path(found[-1]).parent
        self.version = self._binaries.parent.name
        self.folder = Path(tempfile.mkdtemp(prefix="bench-postgres-"))
        # PostgreSQL refuses to run as root.
        self._user = pwd.getpwuid(os.geteuid()).pw_name if os.geteuid() else "postgres"
        shutil.chown(self.folder, self._user)
        self.port = free_port()
        data = self.folder / "data"
        self._run("initdb", "-D", str(data), "-U", "techtrack", "-A", "trust", "-E", "UTF8", "--locale=C")
        self._server = self.start()
        self._server.wait_for(self.is_ready)

    def start(self) -> Server:
        """Start it on the data that it has; ``is_ready`` says when it answers."""
        settings = {**SETTINGS, "port": str(self.port), "unix_socket_directories": str(self.folder)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = self._command("postgres", "-D", str(self.folder / "data"), *options)
        self._server = Server(command, log=self._log(), end_with=signal.SIGINT)
        return self._server

    def is_ready(self) -> bool:
        """Tell whether it takes connections."""
        return bool(list(self.folder.glob(".s.PGSQL.*[0-9]"))) and self._answers()

    @property
    def server(self) -> Server:
        """Its process."""
        return self._server

    @property
    def pid(self) -> int:
        """The first process; every session is below it."""
        return self._server.pid

    def url(self, database: str) -> str:
        """Return the address of a database, for Django."""
        return f"postgres://techtrack@{quote(str(self.folder), safe='')}:{self.port}/{database}"

    def connect(self, database: str = "postgres", *, autocommit: bool = False) -> Any:
        """Open a connection."""
        import psycopg

        return psycopg.connect(
            host=str(self.folder), port=self.port, user="techtrack", dbname=database, autocommit=autocommit
        )

    def create(self, database: str, *, template: str = "template1") -> None:
        """Make a database, as a copy of ``template``."""
        with self.connect(autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
            connection.execute(f'CREATE DATABASE "{database}" TEMPLATE "{template}"')

    def drop(self, database: str) -> None:
        """Remove a database."""
        with self.connect(autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')

    def stop(self) -> None:
        """End it and remove its data."""
        self._server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        import psycopg

        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _log(self) -> Path:
        return self.folder / "log"

    def _run(self, name: str, *arguments: str) -> None:
        subprocess.run(self._command(name, *arguments), check=True, capture_output=True, cwd="/")

    def _command(self, name: str, *arguments: str) -> list[str]:
        command = [str(self._binaries / name), *arguments]
        if os.geteuid():
            return command
        entry = pwd.getpwnam(self._user)
        return ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups", "--", *command]
