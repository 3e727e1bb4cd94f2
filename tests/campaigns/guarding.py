"""Races at the doors: processes that do the same thing at the same moment, again and again.

``python -m tests.campaigns.guarding refresh`` forks the processes of one. For each line of JSON that it reads all of
them wait for the moment that the line names, and act; it prints how that ended for each. With ``--planted`` they look
first and write then, as one does who has not thought of others.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "techtrack.config.settings")

ROOT = Path(__file__).resolve().parents[2]
COUNT = 8
# So long before the moment a round is announced: all processes have read it by then.
AHEAD = 0.004
Outcome = str


class Racers:
    """The processes of one race, seen from the test; all of them work on the database of the test."""

    def __init__(self, what: str, *, planted: bool, environment: dict[str, str]) -> None:
        command = [sys.executable, "-m", "tests.campaigns.guarding", what, *(["--planted"] if planted else [])]
        self._team = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        assert self._read() == "ready"

    def round(self, **task: Any) -> list[Outcome]:
        """Let all of them do the task at the same moment; return how it ended for each."""
        assert self._team.stdin is not None
        self._team.stdin.write(json.dumps(task) + "\n")
        self._team.stdin.flush()
        return [str(outcome) for outcome in json.loads(self._read())]

    def end(self) -> None:
        """Send them home."""
        assert self._team.stdin is not None
        assert self._team.stdout is not None
        self._team.stdin.close()
        self._team.wait(timeout=30)
        self._team.stdout.close()

    def _read(self) -> str:
        assert self._team.stdout is not None
        line = self._team.stdout.readline()
        assert line, f"the race ended with status {self._team.wait(timeout=30)}"
        return line.strip()


@contextmanager
def racers(what: str, *, planted: bool = False, **environment: str) -> Iterator[Racers]:
    """Run the processes of a race on the database of the test that asks."""
    made = Racers(what, planted=planted, environment=_environment() | environment)
    try:
        yield made
    finally:
        made.end()


def _environment() -> dict[str, str]:
    from django.conf import settings  # noqa: PLC0415 - the settings come first
    from django.db import connection  # noqa: PLC0415 - as above

    chosen = connection.settings_dict
    url = os.environ["DATABASE_URL"]
    if connection.vendor == "sqlite":
        url = f"sqlite:///{chosen['NAME']}"
    else:
        url = f"{url.rpartition('/')[0]}/{chosen['NAME']}"
    # By name: those in the folder may have been rotated by another test since this process read them.
    keys = {"SECRET_KEY": settings.SECRET_KEY, "TECHTRACK_JWT_KEY": settings.JWT_KEY}
    return dict(os.environ) | keys | {"DATABASE_URL": url, "TECHTRACK_LIMITS": "login=0"}


def refresh(task: dict[str, Any]) -> list[Outcome]:
    """Spend one refresh token."""
    from techtrack.accounts import services  # noqa: PLC0415 - the settings come first

    return [_said(lambda: services.refresh(token=task["token"], now=_now(task)))]


def guess(task: dict[str, Any]) -> list[Outcome]:
    """Guess the password of somebody, several times."""
    from techtrack.accounts import services  # noqa: PLC0415 - the settings come first

    def once(number: int) -> object:
        return services.prove_person(
            username=task["username"], password=f"guess {number}", otp="", address=task["address"], now=_now(task)
        )

    return [_said(lambda number=number: once(number)) for number in range(task["times"])]


def knock(task: dict[str, Any]) -> list[Outcome]:
    """Ask at a door, several times."""
    from techtrack.accounts import services  # noqa: PLC0415 - the settings come first

    return [_said(lambda: services.spend("login", "192.0.2.7", now=_now(task))) for _ in range(task["times"])]


def show_code(task: dict[str, Any]) -> list[Outcome]:
    """Show one code of a second factor."""
    from techtrack.accounts.queries import second_factor_of  # noqa: PLC0415 - the settings come first
    from techtrack.accounts.services.second_factor import spend_code  # noqa: PLC0415 - as above

    factor = second_factor_of(task["user"])
    assert factor is not None
    return [_said(lambda: spend_code(factor=factor, code=task["code"], now=_now(task)))]


DEEDS: dict[str, Callable[[dict[str, Any]], list[Outcome]]] = {
    "refresh": refresh,
    "guess": guess,
    "knock": knock,
    "show": show_code,
}


def _said(work: Callable[[], object]) -> Outcome:
    """Do it; return the code of the error that it raised, or ``done``."""
    from techtrack.core.errors import TechTrackError  # noqa: PLC0415 - the settings come first

    try:
        work()
    except TechTrackError as error:
        return error.code
    return "done"


def _now(task: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(task["now"])


def _plant() -> None:
    """Put in the bug that each race must find: first look, then write."""
    from django.db.models import QuerySet  # noqa: PLC0415 - the settings come first

    from techtrack.accounts.services import lockout, sessions  # noqa: PLC0415 - as above

    plain = QuerySet.update

    def looks_first(rows: QuerySet[Any], **changes: Any) -> int:
        found = list(rows.values_list("pk", flat=True))
        time.sleep(0.002)
        return plain(rows.model._default_manager.filter(pk__in=found), **changes) if found else 0

    QuerySet.update = looks_first  # type: ignore[method-assign]
    # SQLite lets one transaction in at a time, which would hide it.
    apart = SimpleNamespace(atomic=nullcontext, set_rollback=lambda _: None)
    lockout.LONGEST_QUEUE = 0.0
    sessions.transaction = lockout.transaction = apart  # type: ignore[attr-defined]


def main() -> None:
    """Run the processes of a race."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=DEEDS)
    parser.add_argument("--planted", action="store_true")
    options = parser.parse_args()
    import django  # noqa: PLC0415 - slow, and not needed for --help

    django.setup()
    from techtrack.accounts.backends import Argon2Hasher  # noqa: PLC0415 - the settings come first
    from techtrack.accounts.services import lockout  # noqa: PLC0415 - as above

    Argon2Hasher.memory_cost, Argon2Hasher.time_cost = 8, 1
    # However busy the machine is: what is counted here is not who has waited long enough.
    lockout.LONGEST_QUEUE = 60.0
    if options.planted:
        _plant()
    team = [_started(DEEDS[options.what]) for _ in range(COUNT)]
    print("ready", flush=True)
    for line in sys.stdin:
        task = json.loads(line) | {"at": time.time() + AHEAD}
        for one in team:
            one.send(task)
        print(json.dumps([outcome for one in team for outcome in one.recv()]), flush=True)
    for one in team:
        one.send(None)


def _started(deed: Callable[[dict[str, Any]], list[Outcome]]) -> Connection:
    forking = multiprocessing.get_context("fork")
    ours, theirs = forking.Pipe()
    forking.Process(target=_race, args=(theirs, deed), daemon=True).start()
    return ours


def _race(line: Connection, deed: Callable[[dict[str, Any]], list[Outcome]]) -> None:
    while task := line.recv():
        while time.time() < task["at"]:
            pass
        line.send(deed(task))


if __name__ == "__main__":
    main()
