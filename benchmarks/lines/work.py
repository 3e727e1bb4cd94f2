"""How long people wait for lists of tasks, and how many statements a write takes.

As a program (``python -m benchmarks.lines.work``, and the address of an empty database) it measures in its own process,
one request after the other through all middleware, and prints JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.bench import OURS, POSTGRES, Bench
from benchmarks.figures import Result, Run, limit, number, percentile

ROOT = Path(__file__).resolve().parents[2]
TASKS, SITES, ASSETS = 10_000, 4, 50
DATABASE = "techtrack_work"
# What is asked of the list, and whether it has a bar.
LISTS = {
    "newest 50": "",
    "open, soonest due": "state=open&ordering=due_date",
    "overdue, gravest": "overdue=true&ordering=-priority,due_date",
    "one person's": "owner={user}&ordering=-updated_at",
    "of a machine": "equipment={asset}&ordering=due_date",
    "words": "search=bearing%2077&ordering=title",
    "page 40": "page=40&ordering=priority",
}
MOST_MS, MOST_STATEMENTS = 40.0, 8
WRITES = {"POST": 16, "PATCH": 20}
SHOWN = ["asked", "database", "p50, ms", "p95, ms", "statements"]


def work(bench: Bench) -> Result:
    """Ask each of them many times, on each database, in a process of its own."""
    result = Result("work", f"Tasks, {TASKS:,} of them, one thread", SHOWN, [])
    for name in bench.starts(*OURS):
        bench.say(f"{name}: asking")
        for what, one in _measured(bench, name).items():
            result.rows.append([what, name, number(one["p50"]), number(one["p95"]), f"{one['statements']:g}"])
            if what in LISTS:
                result.bars.append(limit(f"{name}: {what}", one["p50"], MOST_MS, "ms"))
            most = WRITES.get(what, MOST_STATEMENTS)
            result.bars.append(limit(f"{name}: {what}", one["statements"], most, "statements"))
    result.notes = [
        f"Asked by an operator of one of {SITES} sites, who sees a quarter of them, and own and shared ones of others.",
        *bench.missing.values(),
    ]
    return result


def _measured(bench: Bench, name: str) -> dict[str, Run]:
    if name == POSTGRES:
        bench.postgres.create(DATABASE)
    try:
        url = bench.postgres.url(DATABASE) if name == POSTGRES else ""
        command = [sys.executable, "-m", "benchmarks.lines.work", str(int(bench.pick(40, 300))), url]
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
        client, names = _plant()
        asked = {what: _reader(client, f"/api/tasks/?{query.format(**names)}") for what, query in LISTS.items()}
        asked["changes, none"] = _reader(client, f"/api/tasks/changes/?since={_caught_up(client)}")
        asked["POST"] = lambda: client.post("/api/tasks/", {"title": "Oil it"}, "application/json")
        task = asked["POST"]().json()["id"]
        asked["PATCH"] = lambda: client.patch(f"/api/tasks/{task}/", {"priority": 3}, "application/json")
        print(json.dumps({what: _asked(times, ask) for what, ask in asked.items()}))


def _plant() -> tuple[Any, dict[str, int]]:
    """Make sites, machines, people and tasks; return the client of an operator, and ids to ask for."""
    from django.test import Client

    from techtrack.accounts.domain.access import Role, internal
    from techtrack.accounts.models import Membership, Site, User
    from techtrack.accounts.services import start_session
    from techtrack.assets.models import Kind
    from techtrack.assets.services import create_asset
    from techtrack.core import clock

    stamps = {"created_at": clock.now(), "updated_at": clock.now()}
    sites = [Site.objects.create(name=f"Site {place}", **stamps) for place in range(SITES)]
    people = [User.objects.create(username=f"person-{place}") for place in range(2 * SITES)]
    for place, user in enumerate(people):
        Membership.objects.create(user=user, site=sites[place % SITES], role=Role.OPERATOR)
    machines = [
        create_asset(
            kind=Kind.EQUIPMENT,
            by=internal("benchmarks"),
            now=clock.now(),
            data={"name": f"Machine {place}", "site": sites[place % SITES]},
        )
        for place in range(ASSETS)
    ]
    _tasks([user.pk for user in people], [machine.pk for machine in machines])
    token = start_session(user=people[0], address="127.0.0.1", device="bench", now=clock.now()).access
    return Client(headers={"Authorization": f"Bearer {token}"}), {"user": people[0].pk, "asset": machines[0].pk}


def _tasks(people: list[int], machines: list[int]) -> None:
    """Make tasks of all kinds, half of them done, straight into the tables."""
    from datetime import timedelta

    from django.db import connection

    from techtrack.core import clock
    from techtrack.core.models import Head
    from techtrack.tasks.models import State, Task, TaskNumber, TaskOwner, TaskShare
    from techtrack.tasks.queries import HEAD

    now, dice = clock.now(), Random(1)
    rows = [
        Task(
            title=f"Look after bearing {place}",
            description="Grease it, and write down how warm it was. " * (place % 5),
            priority=place % 4 + 1,
            # Half of them done; otherwise nothing follows from anything else.
            state=dice.choice([*State.values, *[State.DONE] * 3]),
            due_date=now + timedelta(hours=place % 997 - 300) if place % 3 else None,
            asset_id=dice.choice(machines) if place % 4 else None,
            created_by_id=dice.choice(people),
            position=float(place),
            created_at=now - timedelta(minutes=place),
            updated_at=now - timedelta(minutes=place // 2),
        )
        for place in range(TASKS)
    ]
    made = Task.objects.bulk_create(rows, batch_size=500)
    numbers = zip(made, Head.take_many(HEAD, TASKS), strict=True)
    TaskNumber.objects.bulk_create((TaskNumber(task=task, number=one) for task, one in numbers), batch_size=2000)
    TaskOwner.objects.bulk_create((TaskOwner(task=task, user_id=dice.choice(people)) for task in made), batch_size=2000)
    shares = (TaskShare(task=task, user_id=people[place % 7]) for place, task in enumerate(made) if place % 10 == 0)
    TaskShare.objects.bulk_create(shares, batch_size=2000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _caught_up(client: Any) -> str:
    since, more = "0", True
    while more:
        found = client.get(f"/api/tasks/changes/?since={since}").json()
        since, more = found["next"], found["more"]
    return str(since)


def _reader(client: Any, path: str) -> Callable[[], Any]:
    return lambda: client.get(path)


def _asked(times: int, ask: Callable[[], Any]) -> Run:
    """Return how long it takes by the median and at worst, and its statements."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    answer = ask()
    assert answer.status_code in {200, 201}, answer.content
    with CaptureQueriesContext(connection) as seen:
        ask()
    # Now: the next request forgets them.
    statements = len(seen)
    spent = [_seconds(ask) * 1000 for _ in range(times)]
    return {"p50": percentile(spent, 0.5), "p95": percentile(spent, 0.95), "statements": statements}


def _seconds(ask: Callable[[], Any]) -> float:
    began = time.perf_counter()
    ask()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
