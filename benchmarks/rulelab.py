"""What the rule lab costs for a year of one asset at a reading each 10 s: reading the store, and judging.

.venv/bin/python benchmarks/rulelab.py

The mix is 70 % limits with a delay, 10 % aggregates, 10 % rates, 10 % flatlines or silence; the mean over it is told.
"""

from __future__ import annotations

import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.judge import arrange_database  # noqa: E402 - found once the path is set

READINGS, STEP = 3_153_600, 10_000_000
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
ROUNDS = 3
MIX: tuple[tuple[str, float, dict[str, Any]], ...] = (
    ("above, on-delay 5 min, rarely", 0.35, {"conditions": [{"kind": "above", "limit": 75.0}]}),
    ("above, on-delay 5 min, each day", 0.35, {"conditions": [{"kind": "above", "limit": 58.0}], "deadband": 1.0}),
    (
        "aggregate: average of a minute above",
        0.1,
        {
            "conditions": [{"kind": "above", "limit": 60.0}],
            "aggregate": {"window": "PT1M", "statistic": "avg", "min_completeness": 0.5},
        },
    ),
    ("rate of change over a minute", 0.1, {"conditions": [{"kind": "rate_of_change", "limit": 20.0, "over": "PT1M"}]}),
    ("flatline for 10 min", 0.05, {"conditions": [{"kind": "flatline", "duration": "PT10M"}]}),
    ("no data for 3 intervals", 0.05, {"conditions": [{"kind": "no_data", "after": "3x"}]}),
)


def fill() -> int:
    """Store the year; return the asset."""
    from techtrack.accounts.domain.access import internal
    from techtrack.assets.models import Asset, AssetState
    from techtrack.core import clock
    from techtrack.telemetry.domain.reading import Batch, Origin
    from techtrack.telemetry.services import ingest
    from techtrack.telemetry.store import compaction

    now = clock.now()
    asset = Asset.objects.create(kind="equipment", name="Press", created_at=now, updated_at=now)
    AssetState.objects.create(asset_id=asset.pk)
    rng = np.random.default_rng(1)
    hours = np.arange(READINGS) * (STEP / 3.6e9)
    # The day, the week, slow wear, noise of a sensor with two decimals, and a spike now and then.
    values = 50 + 6 * np.sin(hours / 24 * 2 * np.pi) + 2 * np.sin(hours / 168 * 2 * np.pi) + hours / 4000
    values += rng.normal(0, 0.6, READINGS) + 25 * (rng.random(READINGS) < 1e-6)
    times = clock.to_micros(BEGIN) + np.arange(READINGS, dtype=np.int64) * STEP
    there = rng.random(READINGS) > 1e-4
    for start in range(0, READINGS, 200_000):
        some = slice(start, start + 200_000)
        times_there = times[some][there[some]]
        batch = Batch(
            np.full(len(times_there), asset.pk), times_there, {"temperature": values[some][there[some]].round(2)}
        )
        ingest(batch=batch, by=internal(), now=now, origin=Origin.IMPORT)
        while compaction.compact(now, force=True) is not None:
            pass
    return asset.pk


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as home:
        arrange_database(home)
        asset = fill()
        measure(asset)


def measure(asset: int) -> None:
    """Preview each rule of the mix over the year, and print what it took."""
    from techtrack.alerts.models import Rule
    from techtrack.alerts.queries import lab
    from techtrack.core.clock import to_micros

    span = (to_micros(BEGIN), to_micros(BEGIN + timedelta(days=365)))
    print(f"a year of one asset at 10 s ({READINGS:,} readings), reading the store included; best of {ROUNDS}")
    mean = 0.0
    for name, share, told in MIX:
        rule = Rule(name=name, parameter="temperature", on_delay=timedelta(minutes=5), **told)
        best, found = float("inf"), 0
        for _ in range(ROUNDS):
            began = time.process_time()
            preview = lab.preview(lab.Asked(rule, (asset,), span))
            best = min(best, time.process_time() - began)
            found = sum(outcome.raises for outcome in preview.outcomes)
        mean += share * best
        print(f"{name:<40}{best:>8.2f} s CPU{found:>10,} raises")
    print(f"{'mean over the mix':<40}{mean:>8.2f} s CPU")


if __name__ == "__main__":
    main()
