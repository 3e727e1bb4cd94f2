"""What it is worth to keep lists that seldom change, and who is calling; what is read anew is the same otherwise.

As a program (``python -m benchmarks.lines.cache``, and the address of an empty database) it measures in its own
process, one request after the other through all middleware, and prints JSON.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.bench import OURS, POSTGRES, Bench
from benchmarks.figures import Result, Run, at_least, number

ROOT = Path(__file__).resolve().parents[2]
TYPES, CODES, MANY = 20, 6, 2_000
ROUNDS = 4
DATABASE = "techtrack_cache"
MACHINE = "one machine; caller remembered"
KEPT = (f"list of {TYPES} types", f"50 of {TYPES * CODES} parameters", f"50 of {MANY:,} parameters")
SHOWN = ["GET", "database", "anew, requests/s", "kept, requests/s", "anew, statements", "kept, statements"]

Way = Callable[[], AbstractContextManager[Any]]


def cache(bench: Bench) -> Result:
    """Ask with and without, in turn; on each database, in a process of its own, as settings are read once."""
    result = Result("cache", "Lists that are kept, one thread", SHOWN, [])
    for name in bench.starts(*OURS):
        bench.say(f"{name}: asking")
        for what, one in _measured(bench, name).items():
            shown = [number(one[figure]) for figure in ("anew", "kept")]
            counts = [f"{one[figure]:g}" for figure in ("anew_statements", "kept_statements")]
            result.rows.append([what, name, *shown, *counts])
            if what in KEPT:
                result.bars.append(at_least(f"{name}: {what}, against anew", one["kept"], one["anew"], times=2))
    result.notes = [
        "A kept list costs one statement, which asks its table whether it is as it was: that is in the figures.",
        (
            f"{MACHINE!r} is what the doors for history and newest values do. For all others the statement that says "
            "what the caller may do is made each time: to know in every process that it still may, one must ask."
        ),
        *bench.missing.values(),
    ]
    return result


def _measured(bench: Bench, name: str) -> dict[str, Run]:
    if name == POSTGRES:
        bench.postgres.create(DATABASE)
    try:
        url = bench.postgres.url(DATABASE) if name == POSTGRES else ""
        command = [sys.executable, "-m", "benchmarks.lines.cache", str(int(bench.pick(60, 400))), url]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        found: dict[str, Run] = json.loads(done.stdout.splitlines()[-1])
        return found
    finally:
        if name == POSTGRES:
            bench.postgres.drop(DATABASE)


def main() -> None:
    """Measure on the empty database of this address, or on SQLite."""
    times, url = int(sys.argv[1]), sys.argv[2]
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {
            "TECHTRACK_HOME": home,
            "DATABASE_URL": url or f"sqlite:///{home}/bench.sqlite3",
            "DJANGO_SETTINGS_MODULE": "techtrack.config.settings",
            "ALLOWED_HOSTS": "testserver",
        }
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        client, machine = _plant()
        found = {
            KEPT[0]: _compared(times, lambda: client.get("/api/asset-types/"), anew=_lists_are_made),
            KEPT[1]: _compared(times, lambda: client.get("/api/parameters/"), anew=_lists_are_made),
            MACHINE: _compared(times, lambda: client.get(f"/api/equipment/{machine}/"), kept=_caller_is_remembered),
        }
        _many_parameters()
        found[KEPT[2]] = _compared(times, lambda: client.get("/api/parameters/"), anew=_lists_are_made)
        print(json.dumps(found))


def _plant() -> tuple[Any, int]:
    """Make types, a machine, and somebody who asks by access token; return the client and the machine's id."""
    from django.test import Client

    from techtrack.accounts.domain.access import Role, internal
    from techtrack.accounts.models import Membership, User
    from techtrack.accounts.services import start_session
    from techtrack.assets.models import Kind
    from techtrack.assets.services import create_asset, create_asset_type
    from techtrack.core import clock

    user, us = User.objects.create(username="bench"), internal("benchmarks")
    Membership.objects.create(user=user, role=Role.ADMIN)
    for place in range(TYPES):
        codes = [f"code_{place}_{count}" for count in range(CODES)]
        parameters = [{"code": code, "unit": "Cel", "minimum": None, "maximum": None, "label": ""} for code in codes]
        data = {"slug": f"machine-{place}", "name": f"Machine {place}", "parameters": parameters}
        create_asset_type(by=us, now=clock.now(), data=data)
    data = {"name": "Machine", "type": "machine-1"}
    machine = create_asset(kind=Kind.EQUIPMENT, by=us, now=clock.now(), data=data)
    token = start_session(user=user, address="127.0.0.1", device="bench", now=clock.now()).access
    return Client(headers={"Authorization": f"Bearer {token}"}), machine.pk


def _many_parameters() -> None:
    from techtrack.assets.models import Parameter
    from techtrack.core import clock

    stamps = {"created_at": clock.now(), "updated_at": clock.now()}
    Parameter.objects.bulk_create(
        Parameter(code=f"other_{place}", **stamps) for place in range(MANY - Parameter.objects.count())
    )


def _lists_are_made() -> AbstractContextManager[Any]:
    from techtrack.core.api.keeping import Shelf

    return mock.patch.object(Shelf, "answer", lambda *asked: asked[-1]())


def _caller_is_remembered() -> AbstractContextManager[Any]:
    from techtrack.assets.api.viewsets import EquipmentViewSet

    return mock.patch.object(EquipmentViewSet, "remembers_callers", new=True, create=True)


def _compared(times: int, ask: Callable[[], Any], *, anew: Way = nullcontext, kept: Way = nullcontext) -> Run:
    """Ask both ways, in turn; return requests/s of one thread by the median, and the statements of each way."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    found: Run = {}
    spent: dict[str, list[float]] = {"anew": [], "kept": []}
    for _ in range(ROUNDS):
        for name, way in (("anew", anew), ("kept", kept)):
            with way():
                answer = ask()
                assert answer.status_code == 200, answer.content
                with CaptureQueriesContext(connection) as seen:
                    ask()
                found[f"{name}_statements"] = len(seen)
                spent[name] += [_seconds(ask) for _ in range(times)]
    return found | {name: 1 / statistics.median(seconds) for name, seconds in spent.items()}


def _seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
