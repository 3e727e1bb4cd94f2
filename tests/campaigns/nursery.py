"""Processes of the platform that can be killed and are back at once: ``python -m tests.campaigns.nursery ROLE …``.

The parent has everything imported and only forks; what it forks is killed with SIGKILL, and has then nothing left.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Self

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "techtrack.config.settings")


class Nursed:
    """One process of the platform, seen from the test."""

    def __init__(self, *role: str, env: Mapping[str, str], log: Path, bugs: tuple[str, ...] = ()) -> None:
        command = [sys.executable, "-m", "tests.campaigns.nursery", *role]
        for bug in bugs:
            command += ["--plant", bug]
        with log.open("ab") as file:
            self._parent = subprocess.Popen(
                command,
                env={**env, "PYTHONUNBUFFERED": "1"},
                cwd=Path(__file__).resolve().parents[2],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._parent.communicate()

    def start(self) -> None:
        """Let it run; it is not ready yet."""
        self._tell("start")

    def kill(self) -> None:
        """Kill it; returns when it is gone."""
        self._tell("kill")

    def _tell(self, word: str) -> None:
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        print(word, file=self._parent.stdin, flush=True)
        assert self._parent.stdout.readline().strip() == word


def up(port: int) -> None:
    """Serve; where the database dies while this starts, it is started again, as a service manager would."""
    from techtrack.config.server import CannotStart, serve  # noqa: PLC0415 - the settings come first

    for _ in range(20):
        try:
            serve(host="127.0.0.1", port=port, certfile=None, keyfile=None, reload=False, say=_say)
        except CannotStart as error:
            _say(f"not started: {error}")
            time.sleep(0.5)
        else:
            return


def work(port: int) -> None:
    """Run the background loops."""
    from techtrack.config.server import work as run  # noqa: PLC0415 - the settings come first

    run(metrics_port=None, say=_say)


def compact(port: int) -> None:
    """Fold the log again and again, as no loop of the platform would so often."""
    from django.db import Error, close_old_connections  # noqa: PLC0415 - the settings come first

    from techtrack.core import clock  # noqa: PLC0415 - as above
    from techtrack.core.errors import Conflict  # noqa: PLC0415 - as above
    from techtrack.telemetry.store.compaction import compact as fold  # noqa: PLC0415 - as above

    while True:
        try:
            close_old_connections()
            fold(clock.now(), force=True)
        except (Conflict, Error) as error:
            _say(f"not folded: {error}")
        time.sleep(0.05)


def judge(port: int) -> None:
    """Run the background loops; what clocks do to alerts is noted for the oracle."""
    import_module("tests.campaigns.judging").Recorder()
    work(port)


def feed(port: int) -> None:
    """Send readings without end; ``port`` is a seed."""
    import_module("tests.campaigns.judging").feed(port)


def tell(port: int) -> None:
    """Run the background loops by a fast clock."""
    import_module("tests.campaigns.telling").tell()


def report(port: int) -> None:
    """Report alerts; ``port`` is a seed."""
    import_module("tests.campaigns.telling").report(port)


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _fork(role: str, port: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    os.dup2(2, 1)
    try:
        globals()[role](port)
    except BaseException:  # noqa: BLE001 - told, and the process ends here whatever it was
        traceback.print_exc()
    os._exit(1)


def main() -> None:
    """Fork and kill as told on stdin."""
    import django  # noqa: PLC0415 - a test that only starts this needs no Django

    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["up", "work", "compact", "judge", "feed", "tell", "report"])
    parser.add_argument("port", type=int, nargs="?", default=0)
    parser.add_argument("--plant", action="append", default=[])
    options = parser.parse_args()
    django.setup()
    import_module("techtrack.config.urls")
    if options.role in {"judge", "feed"}:
        import_module("tests.campaigns.judging")
    if options.role == "tell":
        import_module("tests.campaigns.telling").warm()
    for bug in options.plant:
        import_module("tests.campaigns.planted").plant(bug)
    pid = 0
    for line in sys.stdin:
        if pid:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            pid = 0
        if line.strip() == "start":
            pid = _fork(options.role, options.port)
        print(line.strip(), flush=True)
    if pid:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
