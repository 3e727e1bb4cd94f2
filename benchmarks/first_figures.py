"""The figures of the first step: start-up, a list of 50 equipment, alert latency. Prints one table.

.venv/bin/python benchmarks/first_figures.py
"""

from __future__ import annotations

import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
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
    for number in range(50):
        data = {"name": f"Machine {number}", "type": "machine", "tags": ["bench"]}
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
    for number in range(RUNS + 2):
        started = time.perf_counter()
        work()
        if number >= 2:
            figures.append((time.perf_counter() - started) * 1000)
    return statistics.median(figures), statistics.quantiles(figures, n=20)[-1]


def main() -> None:
    """Measure on an empty SQLite database in a folder of its own."""
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {
            "TECHTRACK_HOME": home,
            "DATABASE_URL": f"sqlite:///{home}/bench.sqlite3",
            "DJANGO_SETTINGS_MODULE": "techtrack.config.settings",
            "ALLOWED_HOSTS": "testserver",
        }
        sys.path.insert(0, str(ROOT))
        start = startup_cpu()
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        listing, judging = list_of_50(), judge_latency()
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, SQLite, synchronous=FULL")
    print(f"{'figure':<44}{'bar':>10}{'median':>10}{'p95':>10}")
    print(f"{'django.setup(), CPU s':<44}{'2.5':>10}{start:>10.2f}{'':>10}")
    print(f"{'GET 50 equipment, ms':<44}{'25':>10}{listing[0]:>10.1f}{listing[1]:>10.1f}")
    print(f"{'reading -> alert committed, ms':<44}{'250':>10}{judging[0]:>10.1f}{judging[1]:>10.1f}")


if __name__ == "__main__":
    main()
