"""How long it takes to tell what plans will ask for, to look at them, to count for them, and to measure maintenance.

As a program (``python -m benchmarks.lines.plans``, and the address of an empty database) it measures in its own process
and prints JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.bench import OURS, POSTGRES, Bench
from benchmarks.figures import Result, Run, limit, number, percentile

ROOT = Path(__file__).resolve().parents[2]
PLANS, ASSETS, DAYS = 1_000, 100, 42
DATABASE = "techtrack_plans"
YEAR = f"a year of {PLANS:,} plans"
LOOK = f"the planner looks at {PLANS:,}"
COUNT = f"{DAYS} days of {ASSETS} machines are counted"
KPI = f"a month's key figures of {ASSETS} machines"
MOST_SECONDS = {YEAR: 1.0}
RULES = ["FREQ=DAILY", *["FREQ=WEEKLY;BYDAY=MO"] * 4, *["FREQ=MONTHLY;BYMONTHDAY=15"] * 3, *["FREQ=YEARLY"] * 2]
SHOWN = ["what", "database", "p50, s", "p95, s"]


def plans(bench: Bench) -> Result:
    """Do each of them several times, on each database, in a process of its own."""
    result = Result("plans", f"Plans, {PLANS:,} of them, one thread", SHOWN, [])
    for name in bench.starts(*OURS):
        bench.say(f"{name}: planning")
        for what, one in _measured(bench, name).items():
            result.rows.append([what, name, number(one["p50"]), number(one["p95"])])
            if what in MOST_SECONDS:
                result.bars.append(limit(f"{name}: {what}", one["p50"], MOST_SECONDS[what], "s"))
    result.notes = [
        "Of ten plans one comes daily, four weekly, three monthly, two yearly: some 61,000 dates in a year.",
        "Machines send every ten minutes; counting happens once for each reading.",
        *bench.missing.values(),
    ]
    return result


def _measured(bench: Bench, name: str) -> dict[str, Run]:
    if name == POSTGRES:
        bench.postgres.create(DATABASE)
    try:
        url = bench.postgres.url(DATABASE) if name == POSTGRES else ""
        command = [sys.executable, "-m", "benchmarks.lines.plans", str(int(bench.pick(5, 20))), url]
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
        }
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        from techtrack.core import clock

        now = clock.now()
        _plant(now)
        print(json.dumps({what: _timed(count, work) for what, (count, work) in _works(now, times).items()}))


def _works(now: datetime, times: int) -> dict[str, tuple[int, Callable[[], Any]]]:
    from techtrack.accounts.domain.access import internal
    from techtrack.tasks import services
    from techtrack.tasks.models import AssetMeter, Course
    from techtrack.tasks.queries import counting, kpi, planning, upcoming

    by, year = internal("benchmarks"), now + timedelta(days=365)

    def count() -> None:
        AssetMeter.objects.update(total=0.0, time=None, days={}, behind=True, look_at=now)
        while due := counting.meters_due(now, 50):
            for row in due:
                services.count_meter(row, now=now)

    def look() -> None:
        Course.objects.update(look_at=now)
        while due := planning.courses_due(now, 50):
            for row in due:
                services.look_at_course(row, now=now)

    def tell() -> None:
        upcoming.upcoming(access=by, start=now, end=year, now=now, asset_id=None, site_id=None)

    month = kpi.Scope(by, now - timedelta(days=30), now)
    return {
        COUNT: (3, count),
        LOOK: (3, look),
        YEAR: (times, tell),
        KPI: (times, lambda: kpi.kpi(month, now=now)),
    }


def _plant(now: datetime) -> None:
    """Make machines that send, were down now and then, and plans for them."""
    import numpy as np

    from techtrack.accounts.domain.access import internal
    from techtrack.assets.models import AssetType, Kind
    from techtrack.assets.services import create_asset
    from techtrack.core.clock import to_micros
    from techtrack.tasks import services
    from techtrack.telemetry.domain.reading import Batch, Origin
    from techtrack.telemetry.services import ingest

    by, start = internal("benchmarks"), now - timedelta(days=DAYS)
    steps = DAYS * 144
    times = to_micros(start) + np.arange(steps, dtype=np.int64) * 600_000_000
    # Two shifts of the day.
    speeds = np.where(np.arange(steps) % 144 < 96, 1500.0, 0.0)
    machines = []
    for place in range(ASSETS):
        data = {"name": f"Machine {place}", "type": "machine"}
        machines.append(create_asset(kind=Kind.EQUIPMENT, by=by, now=start, data=data))
        batch = Batch(np.full(steps, machines[-1].pk, np.int64), times, {"speed": speeds})
        ingest(batch=batch, by=by, now=now, origin=Origin.IMPORT)
        for number_ in range(5):
            begins = start + timedelta(days=8 * number_, hours=3)
            downtime = {"asset": machines[-1], "starts_at": begins, "ends_at": begins + timedelta(hours=2)}
            services.create_downtime(by=by, data=downtime, now=now)
    AssetType.objects.filter(slug="machine").update(running={"parameter": "speed", "above": 100})
    meter = {"kind": "hours", "parameter": "speed", "above": 100.0}
    for place in range(PLANS):
        schedule = {"rrule": RULES[place % len(RULES)], "dtstart": f"2026-01-05T06:{place % 60:02}"}
        triggers = {"timezone": "Europe/Berlin", "schedule": schedule}
        if place < ASSETS:
            triggers["meters"] = [{"meter": meter, "every": 5000}]
        data = {"name": f"Plan {place}", "asset": machines[place % ASSETS], "triggers": triggers}
        services.create_plan(by=by, data=data, now=now)
    services.reconcile_counting(now=now)


def _timed(times: int, work: Callable[[], Any]) -> Run:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return {"p50": percentile(taken, 0.5), "p95": percentile(taken, 0.95)}


if __name__ == "__main__":
    main()
