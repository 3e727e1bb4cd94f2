"""Starts and ends the processes of a campaign (child.py) on one database."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.campaigns.child import STOPPED, acknowledged
from tests.plugins.platform import ROOT, _clean_environment


class Crew:
    """The processes of one campaign; leaving the context kills whoever still runs."""

    def __init__(self, folder: Path, *, database: str, seed: int) -> None:
        self.acks = folder / "acks"
        self.acks.mkdir(parents=True)
        self._seed = seed
        self._writers = 0
        self._running: list[subprocess.Popen[str]] = []
        self._env = _clean_environment() | {
            "TECHTRACK_HOME": str(folder),
            "DATABASE_URL": database,
            "PYTHON_DOTENV_DISABLED": "1",
            "PYTHONUNBUFFERED": "1",
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for process in self._running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

    def start(self, members: Mapping[str, int], *options: str, bugs: Mapping[str, str] | None = None) -> None:
        """Make the tables and start so many processes of each role; ``bugs`` are planted in roles."""
        self._writers = members["write"]
        planted = {role: [name] for role, name in (bugs or {}).items()}
        team = ["--members", json.dumps(list(members.items())), "--plant", json.dumps(planted)]
        self._running.append(self._popen("team", *team, *options))

    def wait_for_acks(self, least: int) -> None:
        """Return when each writer has so many operations acknowledged."""
        deadline = time.monotonic() + 60
        while min(self.acknowledged()) < least:
            assert time.monotonic() < deadline, "the writers do not write"
            assert all(process.poll() is None for process in self._running), self.stop()
            time.sleep(0.01)

    def acknowledged(self) -> list[int]:
        """Return how many operations of each writer are acknowledged at this moment."""
        return acknowledged(self.acks, self._writers)

    def stop(self) -> list[str]:
        """Let all finish what they do and end; return what those said who found something wrong, or broke."""
        complaints = []
        for process in self._running:
            process.send_signal(STOPPED)
            said, _ = process.communicate(timeout=120)
            print(said[-2000:])
            if process.returncode:
                complaints.append(said[-6000:])
        self._running = []
        return complaints

    def recount(self) -> list[str]:
        """Name what contradicts itself in the database as it is."""
        process = self._popen("recount")
        said, _ = process.communicate(timeout=120)
        return [said] if process.returncode else []

    def inspector(self) -> Inspector:
        """Start a process that looks at one database after the other."""
        process = self._popen("inspect")
        self._running.append(process)
        return Inspector(process)

    def _popen(self, role: str, *options: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.campaigns.child", role, "--seed", str(self._seed)]
        return subprocess.Popen(
            [*command, "--acks", str(self.acks), *options],
            env=self._env,
            start_new_session=True,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


class Inspector:
    """Asks that process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        assert self._line().strip() == "ready"

    def faults(self, database: str, acknowledged: Sequence[int]) -> list[str]:
        """Name what is wrong in a database of whose operations so many were acknowledged."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"database": database, "acknowledged": list(acknowledged)}) + "\n")
        self._process.stdin.flush()
        answer = self._line()
        try:
            return list(json.loads(answer))
        except ValueError:
            rest, _ = self._process.communicate()
            raise AssertionError(answer + rest) from None

    def leave(self) -> None:
        """Let go of the database, so that its disk can be taken away."""
        self.faults("", [])

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()
