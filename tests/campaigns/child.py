"""One process of a campaign: ``python -m tests.campaigns.child team`` forks writers, correctors, compactors, readers.

The parent puts DATABASE_URL and TECHTRACK_HOME into the environment. A process that finds something wrong prints it and
ends with status 1; one that is killed says nothing, as in life.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "techtrack.config.settings")

STOPPED = signal.SIGTERM


def write(options: argparse.Namespace) -> list[str]:
    """Do one operation after the other, and note in ``acks/<writer>`` each one that was committed."""
    from django.db import transaction  # noqa: PLC0415 - the settings come first

    from techtrack.telemetry.store.database import DatabaseStore  # noqa: PLC0415 - as above
    from tests.campaigns import plan  # noqa: PLC0415 - as above

    store, number, dice = DatabaseStore(), 0, random.Random(options.writer)
    acks = os.open(ack_file(options.acks, options.writer), os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    running = _until_stopped()
    while running():
        with transaction.atomic():
            plan.operation(options.seed, options.writer, number).apply(store)
        os.write(acks, b".")
        number += 1
        time.sleep(dice.uniform(0, options.pause))
    return []


def correct(options: argparse.Namespace) -> list[str]:
    """Count in one reading together with others: each correction holds only if the reading is as it was read."""
    from tests.campaigns import counting  # noqa: PLC0415 - the settings come first

    dice, counted, stale = random.Random(options.writer), 0, 0
    acks = os.open(ack_file(options.acks, f"corrector {options.writer}"), os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    running = _until_stopped()
    while running():
        if counting.count():
            os.write(acks, b".")
            counted += 1
        else:
            stale += 1
        time.sleep(dice.uniform(0, options.pause))
    print(f"correct: counted {counted}, {stale} times stale", flush=True)
    return []


def compact(options: argparse.Namespace) -> list[str]:
    """Fold the log again and again, at once or after a moment."""
    from techtrack.core.errors import Conflict  # noqa: PLC0415 - the settings come first
    from techtrack.telemetry.store.compaction import compact as fold  # noqa: PLC0415 - as above
    from tests.factories import NOW  # noqa: PLC0415 - as above

    dice, running = random.Random(options.seed + os.getpid()), _until_stopped()
    folds = overtaken = 0
    while running():
        try:
            folds += fold(NOW, force=True) is not None
        except Conflict:
            overtaken += 1
        time.sleep(dice.choice([0, 0.005, 0.05]))
    print(f"compact: {folds} folds, {overtaken} times overtaken", flush=True)
    return []


def read(options: argparse.Namespace) -> list[str]:
    """Look on: what was acknowledged before a look is in it, once; and what was seen stays."""
    from techtrack.telemetry.store.database import DatabaseStore  # noqa: PLC0415 - the settings come first
    from tests.campaigns import plan  # noqa: PLC0415 - as above

    store, running, found = DatabaseStore(), _until_stopped(), []
    seen, looks = [0] * options.writers, 0
    while running() and not found:
        before = acknowledged(options.acks, options.writers)
        first = plan.ticks(store, options.writers)
        counted = plan.counted_ticks(store, options.writers)
        second = plan.ticks(store, options.writers)
        for writer in range(options.writers):
            ticks = [len(first[writer]), counted[writer], len(second[writer])]
            if first[writer] != list(range(ticks[0])):
                found.append(f"writer {writer}: holes or doubles in {first[writer]}")
            if sorted(ticks) != ticks or ticks[0] < max(before[writer], seen[writer]):
                found.append(
                    f"writer {writer}: readings, statistics, readings say {ticks}, "
                    f"acknowledged {before[writer]}, seen {seen[writer]}"
                )
        seen, looks = [len(there) for there in second], looks + 1
    print(f"read: {looks} looks", flush=True)
    return found


def check(options: argparse.Namespace) -> list[str]:
    """Hold all that is there against what was acknowledged."""
    from tests.campaigns import counting, inspection  # noqa: PLC0415 - the settings come first

    corrections = sum(file.stat().st_size for file in options.acks.glob("corrector *"))
    found = counting.miscounts(corrections) if "correct" in dict(options.members) else []
    return found + inspection.faults(options.seed, acknowledged(options.acks, options.writers))


def recount(options: argparse.Namespace) -> list[str]:
    """Hold statistics and newest values against the readings themselves, in the log and when all is folded."""
    from tests.campaigns import inspection  # noqa: PLC0415 - the settings come first

    return inspection.contradictions()


def inspect(options: argparse.Namespace) -> list[str]:
    """Answer, line by line, for each address and list of acknowledged numbers on stdin, what ``check`` would."""
    from tests.campaigns import inspection  # noqa: PLC0415 - the settings come first

    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(inspection.faults_at(asked["database"], options.seed, asked["acknowledged"])), flush=True)
    return []


def ack_file(folder: Path, writer: int | str) -> Path:
    """Return the file that grows by a byte with every acknowledged operation."""
    return folder / str(writer)


def acknowledged(folder: Path, writers: int) -> list[int]:
    """Return how many operations of each writer are acknowledged."""
    files = [ack_file(folder, writer) for writer in range(writers)]
    return [file.stat().st_size if file.exists() else 0 for file in files]


def _until_stopped() -> Callable[[], bool]:
    stopped = []
    signal.signal(STOPPED, lambda *_: stopped.append(True))
    return lambda: not stopped


def _weaken(synchronous: str) -> None:
    """Let SQLite promise less than the project does: the control that must lose."""
    from django.db import connections  # noqa: PLC0415 - the settings come first

    options = connections["default"].settings_dict["OPTIONS"]
    assert "synchronous=FULL" in options["init_command"]
    options["init_command"] = options["init_command"].replace("synchronous=FULL", f"synchronous={synchronous}")


def team(options: argparse.Namespace) -> list[str]:
    """Make the tables, then let members of several roles work at once; when all have ended, check if asked to."""
    from django.core.management import call_command  # noqa: PLC0415 - the settings come first
    from django.db import connection  # noqa: PLC0415 - as above

    call_command("migrate", verbosity=0, interactive=False)
    if "correct" in dict(options.members):
        import_module("tests.campaigns.counting").begin()
    connection.close()
    if connection.vendor == "postgresql":
        connection.close_pool()
    members = dict(_fork(options, role, index) for role, many in options.members for index in range(many))
    signal.signal(STOPPED, lambda *_: [os.kill(pid, STOPPED) for pid in members])
    found = []
    while members:
        pid, status = os.wait()
        role = members.pop(pid)
        if status:
            found.append(f"{role} ended with {status}")
    return found + (check(options) if options.check else [])


def _fork(options: argparse.Namespace, role: str, index: int) -> tuple[int, str]:
    # One start of Python and Django for all: on two cores the starts would take longer than the race.
    pid = os.fork()
    if pid:
        return pid, role
    options.writer = index
    try:
        status = _play(role, options)
    except BaseException:  # noqa: BLE001 - whatever it is, it is told, and the parent learns of it
        traceback.print_exc()
        status = 2
    sys.stdout.flush()
    os._exit(status)


def _play(role: str, options: argparse.Namespace) -> int:
    for bug in options.plant.get(role, []):
        import_module("tests.campaigns.planted").plant(bug)
    found = globals()[role](options)
    print("".join(f"{role}: {line}\n" for line in found), end="", flush=True)
    return int(bool(found))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["team", "inspect", "recount"])
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--acks", type=Path)
    parser.add_argument("--members", type=json.loads, default=[], help='as [["write", 4], ["compact", 2]]')
    parser.add_argument("--check", action="store_true")
    # Else SQLite, whose queue is not fair, lets one writer pass all the time.
    parser.add_argument("--pause", type=float, default=0.01)
    parser.add_argument("--synchronous", default="")
    parser.add_argument("--plant", type=json.loads, default={}, help="by role the names of bugs in planted.py")
    options = parser.parse_args()
    options.writers = dict(options.members).get("write", 0)
    return options


def main() -> int:
    """Play the role; return 1 if something was found."""
    import django  # noqa: PLC0415 - a parent that wants only the names of files needs no Django

    options = _options()
    django.setup()
    if options.synchronous:
        _weaken(options.synchronous)
    return _play(options.role, options)


if __name__ == "__main__":
    sys.exit(main())
