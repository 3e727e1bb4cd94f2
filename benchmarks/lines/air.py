"""How long the index of many hours takes, a year against limits, and the air of a site with fifty sensors.

As a program (``python -m benchmarks.lines.air``, how often, and the address of an empty database) it measures in its
own process and prints JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bench import OURS, POSTGRES, Bench
from benchmarks.figures import Result, Run, limit, number, percentile

ROOT = Path(__file__).resolve().parents[2]
DATABASE = "techtrack_air"
GASES = ("pm2_5", "pm10", "no2", "o3", "so2", "co")
YEARS = 2
SENSORS, MINUTES = 50, 24 * 60
END = datetime(2026, 1, 1, tzinfo=UTC)
VALUES = len(GASES) * YEARS * 365 * 24
INDEX = f"index of {VALUES:,} hourly values"
YEAR = "a year against limits"
# Hours and days there begin off the full hour of UTC.
OFF = "Asia/Kolkata"
OFF_YEAR, OFF_INDEX = f"a year against limits, {OFF}", f"index of a year, {OFF}"
OFF_CODES = ("pm2_5", "pm10")
SITE = f"site page, {SENSORS} sensors"
CORRECT = "a year of hours corrected"
MOST = {INDEX: 1000.0, YEAR: 300.0, SITE: 150.0}
SHOWN = ["what", "database", "p50, ms", "p95, ms"]


def air(bench: Bench) -> Result:
    """Do each of them several times, on each database, in a process of its own."""
    result = Result("air", "Air quality, through the API, one thread", SHOWN, [])
    for name in bench.starts(*OURS):
        bench.say(f"{name}: judging air")
        for what, one in _measured(bench, name).items():
            result.rows.append([what, name, number(one["p50"]), number(one["p95"])])
            if what in MOST:
                result.bars.append(limit(f"{name}: {what}", one["p50"], MOST[what], "ms"))
    result.notes = [
        f"The station has {len(GASES)} pollutants an hour for {YEARS} years; the limits are the EU's from 2030.",
        f"That in {OFF} sends {' and '.join(OFF_CODES)} every minute: of its hours none is in a rollup.",
        f"The {SENSORS} sensors send PM2.5 and PM10 every minute; hours end at the moment that is asked about.",
        *bench.missing.values(),
    ]
    return result


def _measured(bench: Bench, name: str) -> dict[str, Run]:
    if name == POSTGRES:
        bench.postgres.create(DATABASE)
    try:
        url = bench.postgres.url(DATABASE) if name == POSTGRES else ""
        command = [sys.executable, "-m", "benchmarks.lines.air", str(int(bench.pick(5, 20))), url]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        found: dict[str, Run] = json.loads(done.stdout.splitlines()[-1])
        return found
    finally:
        if name == POSTGRES:
            bench.postgres.drop(DATABASE)


def figures(times: int) -> dict[str, Run]:
    """Median and p95 milliseconds of each, through all middleware."""
    from django.test import Client

    from techtrack.accounts.models import Membership, User

    user = User.objects.create(username="bench")
    Membership.objects.create(user=user, role="viewer")
    station, off, site = _fill()
    client = Client()
    client.force_login(user)

    def get(path: str) -> Callable[[], None]:
        def ask() -> None:
            answer = client.get(path)
            assert answer.status_code == 200, answer.content

        return ask

    start, year = ((END - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ") for days in (YEARS * 365, 365))
    end = END.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        INDEX: _timed(get(f"/api/sensors/{station}/air-quality/history/?from={start}&to={end}"), times),
        YEAR: _timed(get(f"/api/sensors/{station}/exceedances/?standard=eu_2030&year=2025"), times),
        OFF_YEAR: _timed(get(f"/api/sensors/{off}/exceedances/?standard=eu_2030&year=2025"), times),
        OFF_INDEX: _timed(get(f"/api/sensors/{off}/air-quality/history/?from={year}&to={end}"), times),
        SITE: _timed(get(f"/api/sites/{site}/air-quality/?at=2025-12-31T23:20:00Z"), times),
        CORRECT: _timed(_correct, times),
    }


def _correct() -> None:
    from techtrack.airquality.correction import corrections

    values = np.linspace(0.0, 300.0, 8760)
    corrections.get("epa_2021").corrected(values, parameter="pm2_5", humidity=values % 100)


def _timed(work: Callable[[], None], times: int) -> Run:
    seconds = []
    for turn in range(times + 2):
        began = time.perf_counter()
        work()
        if turn >= 2:
            seconds.append((time.perf_counter() - began) * 1000)
    return {"p50": percentile(seconds, 0.5), "p95": percentile(seconds, 0.95)}


def _fill() -> tuple[int, int, int]:
    """A station with years of hours, one with a year of minutes, a site with sensors of a day of minutes: their ids."""
    from techtrack.accounts.models import Site
    from techtrack.assets.models import Asset, AssetType
    from techtrack.environment.models import AirSettings
    from techtrack.telemetry.store import compaction, days

    stamps: dict[str, Any] = {"created_at": END, "updated_at": END}
    units = [{"code": code, "unit": "mg/m3" if code == "co" else "ug/m3"} for code in GASES]
    kind = AssetType.objects.create(slug="air", name="Air", parameters=units, **stamps)
    site = Site.objects.create(name="Bench", **stamps)
    common = {"kind": "sensor", "type": kind, **stamps}
    station = Asset.objects.create(name="Station", **common)
    AirSettings.objects.create(sensor=station, reference_temperature=20, reference_pressure=1013.25, **stamps)
    draw = np.random.default_rng(1)
    _send(station.pk, YEARS * 365 * 24, timedelta(hours=1), GASES, draw)
    minute = timedelta(minutes=1)
    india = Site.objects.create(name="Off the hour", timezone=OFF, **stamps)
    off = Asset.objects.create(name="Station off the hour", site=india, expected_interval=minute, **common)
    for month in range(1, 13):
        # A month at once, as an import would.
        until = END - timedelta(days=365) + month * timedelta(days=365) / 12
        _send(off.pk, 365 * 24 * 60 // 12, minute, OFF_CODES, draw, until=until)
    for number_ in range(SENSORS):
        sensor = Asset.objects.create(name=f"Sensor {number_}", site=site, expected_interval=minute, **common)
        _send(sensor.pk, MINUTES, minute, ("pm2_5", "pm10"), draw)
    while compaction.compact(END, force=True) is not None:
        pass
    while days.build(END):
        pass
    return station.pk, off.pk, site.pk


def _send(
    asset: int,
    count: int,
    every: timedelta,
    codes: tuple[str, ...],
    draw: np.random.Generator,
    *,
    until: datetime = END,
) -> None:
    from techtrack.accounts.domain.access import internal
    from techtrack.core.clock import to_micros
    from techtrack.telemetry import services
    from techtrack.telemetry.domain.reading import Batch, Origin

    width = every // timedelta(microseconds=1)
    times = to_micros(until) - width * np.arange(count, 0, -1, dtype=np.int64)
    values = {code: np.round(draw.gamma(2.0, 0.4 if code == "co" else 15.0, count), 1) for code in codes}
    batch = Batch(np.full(count, asset, np.int64), times, values)
    services.ingest(batch=batch, by=internal(), now=END, origin=Origin.IMPORT)


def main() -> None:
    """Measure on an empty database: SQLite in a folder of its own unless another is named."""
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
        print(json.dumps(figures(times)))


if __name__ == "__main__":
    main()
