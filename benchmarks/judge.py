"""What the judge costs per reading of five parameters: looking at columns, looking one by one, and a whole commit.

.venv/bin/python benchmarks/judge.py

Before the columns (2026-11-22, 1,000 assets x 5 parameters, 5,000 quiet rules, SQLite, two shared cores) the whole way
through ``work()`` cost 25 microseconds of CPU per reading in bodies of 5,000, and 59 in bodies of 1,000.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
ASSETS, CODES = 1_000, ("temperature", "pressure", "vibration", "humidity", "current")
RULES = (1_000, 5_000, 20_000)
BATCHES = (1, 10, 20, 40, 64, 100, 1_000, 5_000)
HOT = [{"kind": "above", "limit": 100.0, "severity": "high"}]
NEVER = {"kind": "no_data", "after": "P3000D"}
STUCK = {"kind": "flatline", "duration": "P1D"}

if TYPE_CHECKING:
    from techtrack.alerts.memory import Memory
    from techtrack.alerts.rulebook import RuleBook
    from techtrack.telemetry.domain.reading import Batch
    from techtrack.telemetry.store.base import LogEntry


def scope(number: int) -> tuple[str, int]:
    """Return what rule ``number`` watches: one parameter of one asset, all in turn."""
    return CODES[number % len(CODES)], number // len(CODES) % ASSETS + 1


def terms_of(number: int, *, mixed: bool, limit: float = 100.0) -> dict[str, Any]:
    """Return what rule ``number`` demands: of ten seven a limit with a delay, one each an average, a rate, silence."""
    hot = [HOT[0] | {"limit": limit}]
    if not mixed:
        return {"conditions": hot}
    seconds = timedelta(seconds=30)
    return {
        7: {"conditions": hot, "aggregate": {"window": "PT1M", "statistic": "avg"}},
        8: {"conditions": [{"kind": "rate_of_change", "limit": 1e6, "over": "PT1M"}]},
        9: {"conditions": [NEVER if number // len(CODES) % 20 < 10 else STUCK]},
    }.get(number // len(CODES) % 10, {"conditions": hot, "on_delay": seconds})


def book_of(rules: int, *, mixed: bool = False, delay: timedelta = timedelta(0)) -> RuleBook:
    """Lay out quiet rules, each of one asset."""
    from techtrack.alerts.domain.rule import parse_rule
    from techtrack.alerts.domain.scope import Fleet, Scope
    from techtrack.alerts.models import Rule
    from techtrack.alerts.rulebook import RuleBook, Ruling
    from techtrack.core.clock import EPOCH

    rulings = {}
    for number in range(rules):
        code, asset = scope(number)
        rule = Rule(pk=number, name=f"Rule {number}", parameter=code)
        spec = parse_rule({"parameter": code, "on_delay": delay, **terms_of(number, mixed=mixed)})
        rulings[number] = Ruling((1, EPOCH), rule, spec, Scope(assets=frozenset({asset})))
    return RuleBook.of(1, rulings, Fleet((asset + 1, None, None, []) for asset in range(ASSETS)))


def batch_of(size: int, *, at: int) -> Batch:
    """Make readings of all assets in turn, a second after the other; values far from every limit."""
    from techtrack.telemetry.domain.reading import Batch

    places = np.arange(size)
    values = np.random.default_rng(at).normal(50.0, 5.0, (len(CODES), size)).round(2)
    times = at + places // ASSETS * 1_000_000
    return Batch(places % ASSETS + 1, times, dict(zip(CODES, values, strict=True)))


def log_of(size: int, number: int, *, after: int = 0) -> list[LogEntry]:
    """Make entries of the log, ten seconds apart."""
    from techtrack.telemetry.domain.reading import Kind, Origin
    from techtrack.telemetry.store.base import LogEntry

    return [
        LogEntry(turn, Kind.READINGS, Origin.LIVE, batch_of(size, at=turn * 10_000_000))
        for turn in range(after + 1, after + number + 1)
    ]


def cost(memory: Memory, size: int, number: int, few: int) -> float:
    """Return the microseconds of CPU per reading if each entry is judged by itself; the best of three rounds.

    Each goes on where the one before ended, since what is not new costs nothing; what waits at its end is fed.
    """
    from techtrack.alerts import screening
    from techtrack.alerts.folding import judge

    screening.FEW = few
    best = float("inf")
    for _ in range(3):
        entries = log_of(size, number, after=memory.position)
        began = time.process_time()
        for entry in entries:
            judge([entry], memory, entry.position * 10_000_000)
        memory.settle_features()
        best = min(best, (time.process_time() - began) / (size * number) * 1e6)
    return best


def looking(*, mixed: bool) -> None:
    """Print what looking costs, without the database, for both ways."""
    from techtrack.alerts.memory import Memory

    kinds = "70 % limits with a delay, 10 % each averages, rates, silence" if mixed else "limits"
    print(f"µs per reading ({len(CODES)} parameters, {ASSETS} assets), all quiet ({kinds}): one by one | on columns")
    print(f"{'readings per commit':>20}" + "".join(f"{rules:>18,} rules" for rules in RULES))
    memories = [Memory(0, 0, 0, "bench", book_of(rules, mixed=mixed)) for rules in RULES]
    for size in BATCHES:
        number = max(5, min(300, 130_000 // size))
        cells = [[cost(memory, size, number, few) for few in (10**9, -1)] for memory in memories]
        print(f"{size:>20,}" + "".join(f"{loop:>13.3f} | {columns:8.3f}" for loop, columns in cells))


def waiting(timers: int = 10_000) -> None:
    """Print what it costs that so many delays run at once, beside a judge that looks ten times a second."""
    from techtrack.alerts.folding import judge
    from techtrack.alerts.memory import Memory
    from techtrack.alerts.ticking import run_out
    from techtrack.telemetry.domain.reading import Batch, Kind, Origin
    from techtrack.telemetry.store.base import LogEntry

    memory = Memory(0, 0, 0, "bench", book_of(timers, delay=timedelta(minutes=10)))
    assets = np.arange(ASSETS) + 1
    now = 1_800_000_000_000_000
    # All limits are crossed, spread over the ten minutes of the delay.
    for part in range(10):
        some = assets[assets % 10 == part]
        batch = Batch(some, np.full(len(some), now + part * 60_000_000), {c: np.full(len(some), 150.0) for c in CODES})
        judge([LogEntry(part + 1, Kind.READINGS, Origin.LIVE, batch)], memory, now + part * 60_000_000)
    running = len(memory.timers)
    began, seconds, ended = time.process_time(), 600, 0
    for tick in range(seconds * 10):
        ended += len(run_out(memory, now + 600_000_000 + tick * 100_000))
    spent = time.process_time() - began
    print(f"{running:,} delays that end within {seconds} s: {spent / seconds:.3%} of a core; {ended:,} ended")


def sizes() -> None:
    """Print the bytes that the judge keeps for each rule and series: quiet, and with windows and rates."""
    from techtrack.alerts.memory import Memory

    for mixed in (False, True):
        memory = Memory(0, 0, 0, "bench", book_of(20_000, mixed=mixed))
        columns = [
            c for column in memory.book.columns.values() for c in (column.starts, column.rules, column.low, column.high)
        ]
        kept = [c for track in memory.tracks.values() for c in (track.awake, track.told, *track.columns().values())]
        pairs = sum(len(column.rules) for column in memory.book.columns.values())
        kind = "70 % limits with a delay, 10 % each averages, rates, silence" if mixed else "limits"
        print(f"{sum(c.nbytes for c in (*columns, *kept)) / pairs:.0f} bytes for each rule and series ({kind})")


def arrange_database(home: str) -> None:
    """Use a database of its own, PostgreSQL if DATABASE_URL names one."""
    sys.path.insert(0, str(ROOT))
    os.environ |= {"DJANGO_SETTINGS_MODULE": "techtrack.config.settings", "TECHTRACK_HOME": home}
    os.environ.setdefault("DATABASE_URL", f"sqlite:///{home}/judge.sqlite3")
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def fill_database(rules: int) -> list[int]:
    """Write assets and rules; return the ids of the assets."""
    from django.db import transaction

    from techtrack.alerts import rulebook
    from techtrack.alerts.models import Rule
    from techtrack.assets.models import Asset, AssetState
    from techtrack.core import clock

    stamps = {"created_at": clock.now(), "updated_at": clock.now()}
    names = (f"Machine {number}" for number in range(ASSETS))
    Asset.objects.bulk_create([Asset(kind="equipment", name=name, **stamps) for name in names])
    ids = sorted(Asset.objects.values_list("pk", flat=True))
    AssetState.objects.bulk_create([AssetState(asset_id=asset) for asset in ids])
    watched = [scope(number) for number in range(rules)]
    Rule.objects.bulk_create(
        Rule(name=f"Rule {number}", parameter=code, assets=[ids[place - 1]], conditions=HOT, **stamps)
        for number, (code, place) in enumerate(watched)
    )
    with transaction.atomic():
        rulebook.turn_page()
    return ids


def working(ids: list[int], size: int, rounds: int) -> None:
    """Print what ``work()`` costs in all: reading the log, opening it, looking, committing."""
    from techtrack.alerts.judge import Judge

    judge = Judge()
    work_off(judge.work)
    send(ids, size, 1)
    work_off(judge.work)
    send(ids, size, rounds)
    backlog = timed(judge.work) / rounds / size * 1e6
    each = []
    for _ in range(20):
        send(ids, size, 1)
        each.append(timed(judge.work))
    commit = sorted(each)[len(each) // 2]
    print(
        f"{size:>20,}{backlog:>16.3f} µs per reading behind{commit / size * 1e6:>12.3f} µs per reading keeping up"
        f"{commit * 1e3:>10.2f} ms per commit"
    )


def send(ids: list[int], size: int, number: int) -> None:
    """Append segments to the log."""
    from techtrack.accounts.domain.access import internal
    from techtrack.core import clock
    from techtrack.telemetry.domain.reading import Batch, Origin
    from techtrack.telemetry.services import ingest

    places = np.array(ids)
    for _ in range(number):
        now = clock.now()
        batch = batch_of(size, at=clock.to_micros(now))
        ingest(
            batch=Batch(places[batch.assets - 1], batch.times, batch.values), by=internal(), now=now, origin=Origin.LIVE
        )


def work_off(step: Callable[[], bool]) -> None:
    """Call ``step`` until it finds nothing."""
    while step():
        pass


def timed(step: Callable[[], bool]) -> float:
    """Return the seconds of CPU until ``step`` finds nothing."""
    began = time.process_time()
    work_off(step)
    return time.process_time() - began


def main() -> None:
    """Print all tables."""
    with tempfile.TemporaryDirectory() as home:
        arrange_database(home)
        for mixed in (False, True):
            looking(mixed=mixed)
            print()
        waiting()
        sizes()
        print()
        ids = fill_database(5_000)
        print(f"work() in all, {ASSETS} assets, 5,000 rules, CPU")
        for size in (1, 100, 1_000, 5_000):
            working(ids, size, rounds=max(20, min(200, 100_000 // size)))


if __name__ == "__main__":
    main()
