"""Small figures: start-up, a list of 50 equipment, and how soon the judge commits an alert.

As a program (``python -m benchmarks.lines.small``) it measures in its own process, on an empty SQLite database, and
prints JSON.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.figures import Result, limit, number

ROOT = Path(__file__).resolve().parents[2]
RUNS = 60


def startup_cpu() -> float:
    """Median CPU seconds of ``import django; django.setup()`` in a process of its own."""
    figures = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", "import django; django.setup()"], cwd=ROOT, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        figures.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(figures)


def list_of_50() -> tuple[float, float]:
    """Median and p95 milliseconds of GET /api/equipment/ with 50 rows, by access token, through all middleware."""
    from django.test import Client

    from techtrack.accounts.domain.access import Role, internal
    from techtrack.accounts.models import Membership, User
    from techtrack.accounts.services import start_session
    from techtrack.assets.models import Kind
    from techtrack.assets.services import create_asset
    from techtrack.core import clock

    user = User.objects.create(username="bench")
    Membership.objects.create(user=user, role=Role.ADMIN)
    for count in range(50):
        data = {"name": f"Machine {count}", "type": "machine", "tags": ["bench"]}
        create_asset(kind=Kind.EQUIPMENT, by=internal(), now=clock.now(), data=data)
    token = start_session(user=user, address="127.0.0.1", device="bench", now=clock.now()).access
    client = Client(headers={"Authorization": f"Bearer {token}"})

    def get() -> None:
        answer = client.get("/api/equipment/")
        assert answer.status_code == 200, answer.content
        assert len(answer.json()["results"]) == 50

    return timed(get)


def judge_latency() -> tuple[float, float]:
    """Median and p95 milliseconds from the call of ingest to a committed alert, judge in the same thread."""
    from techtrack.accounts.domain.access import internal
    from techtrack.alerts.judge import Judge
    from techtrack.alerts.models import Alert
    from techtrack.alerts.services import create_rule
    from techtrack.assets.models import Asset
    from techtrack.core import clock
    from techtrack.core.clock import to_micros
    from techtrack.telemetry.domain.reading import Batch, Origin, Row
    from techtrack.telemetry.services import ingest

    asset, judge = Asset.objects.first(), Judge()
    assert asset is not None
    conditions = [{"kind": "above", "limit": 80.0, "severity": "high"}]
    rule = {"name": "Hot", "parameter": "temperature", "conditions": conditions}
    create_rule(by=internal(), now=clock.now(), data=rule)
    judge.work()
    values = iter([90.0, 10.0] * RUNS)

    def raise_or_return() -> None:
        now = clock.now()
        batch = Batch.of([Row(asset.pk, to_micros(now), {"temperature": next(values)})])
        ingest(batch=batch, by=internal(), now=now, origin=Origin.LIVE)
        judge.work()

    figures = timed(raise_or_return)
    assert Alert.objects.get().occurrences == RUNS // 2 + 1
    return figures


def timed(work: Callable[[], None]) -> tuple[float, float]:
    """Median and p95 in milliseconds over RUNS runs, after two that do not count."""
    figures = []
    for turn in range(RUNS + 2):
        started = time.perf_counter()
        work()
        if turn >= 2:
            figures.append((time.perf_counter() - started) * 1000)
    return statistics.median(figures), statistics.quantiles(figures, n=20)[-1]


def small(bench: Bench) -> Result:
    """Measure in a process of its own, as settings are read once."""
    command = [sys.executable, "-m", "benchmarks.lines.small"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    start, listing, judging = json.loads(done.stdout.splitlines()[-1])
    rows = [
        ["django.setup(), CPU s", number(start), ""],
        ["GET 50 equipment, ms", number(listing[0]), number(listing[1])],
        ["reading to committed alert, ms", number(judging[0]), number(judging[1])],
    ]
    bars = [
        limit("django.setup()", start, 2.5, "CPU s"),
        limit("GET 50 equipment, median", listing[0], 25, "ms"),
        limit("reading to committed alert, p95", judging[1], 250, "ms"),
    ]
    return Result("small", "Small figures, on SQLite, in one process", ["figure", "median", "p95"], rows, bars)


def main() -> None:
    """Measure on an empty SQLite database in a folder of its own."""
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {
            "TECHTRACK_HOME": home,
            "DATABASE_URL": f"sqlite:///{home}/bench.sqlite3",
            "DJANGO_SETTINGS_MODULE": "techtrack.config.settings",
            "ALLOWED_HOSTS": "testserver",
        }
        start = startup_cpu()
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        print(json.dumps([start, list_of_50(), judge_latency()]))


if __name__ == "__main__":
    main()
