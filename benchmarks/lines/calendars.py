"""How soon a calendar that subscribes to 2,000 tasks has them, and how soon it knows that nothing has changed.

As a program (``python -m benchmarks.lines.calendars``) it measures in its own process, on an empty SQLite database, and
prints JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.figures import Result, limit, number
from benchmarks.lines.small import timed

ROOT = Path(__file__).resolve().parents[2]
TASKS = 2000


def fetches() -> list[tuple[float, float]]:
    """Median and p95 milliseconds of GET the feed, and of the same with If-None-Match, through all middleware."""
    from django.test import Client

    from techtrack.accounts.models import User
    from techtrack.core import clock
    from techtrack.tasks.models import Task, TaskOwner
    from techtrack.tasks.services import create_feed

    now = clock.now()
    user = User.objects.create(username="bench")
    tasks = Task.objects.bulk_create(
        Task(
            title=f"Grease the bearings of machine {count}, both sides",
            description="Two pumps of the gun each.\nWipe off what comes out.",
            due_date=now + timedelta(hours=count),
            reminders=[{"before": "PT1H"}],
            estimated_seconds=1800,
            created_at=now,
            updated_at=now,
        )
        for count in range(TASKS)
    )
    TaskOwner.objects.bulk_create(TaskOwner(task=task, user=user) for task in tasks)
    _, key = create_feed(by=user.access(), data={"name": "Bench"}, now=now)
    address, client, seen = f"/api/tasks/calendar.ics?key={key}", Client(), {}

    def get() -> None:
        answer = client.get(address)
        assert answer.content.count(b"BEGIN:VEVENT") == TASKS
        seen["tag"] = answer["ETag"]

    def again() -> None:
        assert client.get(address, headers={"If-None-Match": seen["tag"]}).status_code == 304

    return [timed(get), timed(again)]


def calendars(bench: Bench) -> Result:
    """Measure in a process of its own, as settings are read once."""
    command = [sys.executable, "-m", "benchmarks.lines.calendars"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    whole, same = json.loads(done.stdout.splitlines()[-1])
    rows = [
        [f"GET the feed of {TASKS} tasks, ms", number(whole[0]), number(whole[1])],
        ["the same, unchanged (304), ms", number(same[0]), number(same[1])],
    ]
    bars = [limit(f"feed of {TASKS} tasks, p95", whole[1], 200, "ms")]
    return Result("calendars", "Calendar feed, on SQLite, in one process", ["figure", "median", "p95"], rows, bars)


def main() -> None:
    """Measure on an empty SQLite database in a folder of its own."""
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {
            "TECHTRACK_HOME": home,
            "DATABASE_URL": f"sqlite:///{home}/bench.sqlite3",
            "DJANGO_SETTINGS_MODULE": "techtrack.config.settings",
            "ALLOWED_HOSTS": "testserver",
        }
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        print(json.dumps(fetches()))


if __name__ == "__main__":
    main()
