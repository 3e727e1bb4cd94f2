"""Processes under measurement: started on a free port, their CPU read from /proc, ended by their id."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
# Below this share of a core, for so many seconds, a process has nothing left to do.
IDLE_SHARE, IDLE_SECONDS = 0.06, 2.0


class DidNotStart(Exception):
    """A server under measurement did not come up; the message holds the end of what it said."""


def free_port(candidates: Iterable[int] = (0,)) -> int:
    """Return a port of this machine on which nobody listens: any, or the first free one of ``candidates``."""
    for candidate in candidates:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", candidate))
            return int(probe.getsockname()[1])
    raise DidNotStart("there is no free port")


class Server:
    """A process and everything that it starts."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        end_with: signal.Signals = signal.SIGTERM,
    ) -> None:
        self._log, self._end_with = log, end_with
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                command,
                env=None if env is None else dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The id of the first process."""
        return self._process.pid

    def wait_for(self, is_ready: Callable[[], bool], *, seconds: float = 60.0) -> None:
        """Return when ``is_ready``.

        Raises:
            DidNotStart: it ended, or took too long.
        """
        deadline = time.monotonic() + seconds
        while not is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = self._log.read_text(errors="replace")[-2000:]
                self.stop()
                raise DidNotStart(said)
            time.sleep(0.05)

    def is_running(self) -> bool:
        """Tell whether its first process lives."""
        return self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it and to everything that it started, groups of their own included."""
        for pid in tree([self._process.pid]):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        """Pull the plug of it and of everything that it started."""
        self.signal(signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """End it in good order; after 20 s by force."""
        if self.is_running():
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(self._end_with)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()


def answers(url: str) -> bool:
    """Tell whether a GET of ``url`` succeeds."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - an address of ours
            return bool(200 <= answer.status < 300)
    except (OSError, urllib.error.URLError):
        return False


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return user and system seconds of the processes, of all below them, and of those below that have ended."""
    return sum(_own_ticks(pid) for pid in tree(pids)) / TICKS


def tree(pids: Iterable[int]) -> set[int]:
    """Return the processes and all their descendants that live now."""
    below: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            below.setdefault(int(fields[1]), []).append(int(entry.name))
    found, waiting = set(), list(pids)
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting += below.get(pid, [])
    return found


def wait_until_idle(pids: Iterable[int], *, at_least: float = 0.0, at_most: float = 120.0) -> bool:
    """Wait until the processes use no CPU worth speaking of; tell whether they came to rest in time."""
    pids, started = list(pids), time.monotonic()
    rest_began, before, at = None, cpu_seconds(pids), started
    while time.monotonic() - started < at_most:
        time.sleep(0.25)
        used, now = cpu_seconds(pids), time.monotonic()
        busy = used - before > IDLE_SHARE * (now - at) + 1 / TICKS
        before, at = used, now
        rest_began = None if busy else rest_began or now
        if rest_began and now - rest_began >= IDLE_SECONDS and now - started >= at_least:
            return True
    return False


def bytes_below(folder: Path) -> int:
    """Return how many bytes of disk the files below ``folder`` take."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def package_version(package: str) -> str:
    """Return the version of a Debian package, without what Debian adds to it."""
    command = ["dpkg-query", "-W", "-f=${Version}", package]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        said = ""
    return re.split(r"[+~-]", said.rpartition(":")[2])[0] or "unknown version"


def _own_ticks(pid: int) -> int:
    fields = _stat(pid)
    # utime, stime, and both of children that have ended.
    return sum(int(field) for field in fields[11:15]) if fields else 0


def _stat(pid: int) -> list[str]:
    try:
        # The name, in parentheses, may hold blanks; counted from behind it, field 0 is the state.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
