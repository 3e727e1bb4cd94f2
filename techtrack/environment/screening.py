"""What can be said of a reading the moment it arrives: how its asset is tested, and what is no measurement.

Rules judge a reading at once. What later readings show (spikes, values that are stuck, neighbours) comes too late for
them; sentinels, values out of range, channels that disagree and fog are left out of what they see.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import isnan

import numpy as np

from techtrack.airquality.hours import Flags
from techtrack.airquality.quality import HOUR, Flag, disagreeing
from techtrack.core.models import Head
from techtrack.environment import queries
from techtrack.environment.domain.checks import Plan
from techtrack.environment.domain.pollutants import POLLUTANTS
from techtrack.environment.domain.testing import FRESH_HUMIDITY, HUMIDITY, Plans, beginnings, usable_humidity
from techtrack.environment.models import TESTS
from techtrack.telemetry import queries as telemetry
from techtrack.telemetry.domain.reading import Batch, Floats, Kind
from techtrack.telemetry.store.base import LogEntry

# How long (s) what is known of assets counts; what changes of their settings is seen at once.
KNOWN_FOR = 60.0
# How far back humidity is looked up of a sensor that is new here: as long as it counts, and the hour begun.
RECALLED_HOURS = FRESH_HUMIDITY // HOUR + 1


class KnownPlans:
    """The tests of assets, looked up once and kept for a while."""

    def __init__(self) -> None:
        self._plans: dict[int, Plans] = {}
        # Of whom was asked whether they measure air, without and with their sending a pollutant.
        self._asked: tuple[set[int], set[int]] = set(), set()
        self._codes = frozenset[str]()
        self._generation, self._until = -1, 0.0

    def refresh(self) -> None:
        """Forget everything where settings changed, or it was known for long enough."""
        generation = Head.current(TESTS)
        if generation != self._generation or time.monotonic() >= self._until:
            self._plans, self._asked = {}, (set(), set())
            self._codes = queries.tested_codes()
            self._generation, self._until = generation, time.monotonic() + KNOWN_FOR

    def of(self, batch: Batch) -> dict[int, Plans]:
        """Return the tests of those assets of a batch that measure air; none where nothing of it is tested.

        One that sends a pollutant for the first time does so from now on.
        """
        if self._codes.isdisjoint(batch.values):
            return {}
        here = set(batch.assets.tolist())
        sends = bool(POLLUTANTS & batch.values.keys())
        ids = sorted(here - self._plans.keys() - self._asked[sends])
        self._plans |= queries.plans_of(ids, sending=tuple(batch.values) if sends else ())
        self._asked[sends].update(ids)
        return {asset: self._plans[asset] for asset in here & self._plans.keys()}


class Moisture:
    """The humidity that each sensor told last: some send it in messages of its own, before the dust or after."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[int, float]] = {}

    def of(self, batch: Batch, plans: Mapping[int, Plans]) -> Floats:
        """Take in a batch; return the humidity (%) that counts for each reading of some assets, NaN: none is known."""
        found = np.full(len(batch), np.nan)
        told = batch.values.get(HUMIDITY, found).tolist()
        self._look_up(batch, plans)
        rows = np.flatnonzero(np.isin(batch.assets, list(plans)))
        moments = zip(rows.tolist(), batch.assets[rows].tolist(), batch.times[rows].tolist(), strict=True)
        for row, asset, moment in moments:
            if not isnan(told[row]) and usable_humidity(told[row], plans[asset]):
                self._last[asset] = (moment, told[row])
            at, humidity = self._last[asset]
            if abs(moment - at) <= FRESH_HUMIDITY:
                found[row] = humidity
        return found

    def _look_up(self, batch: Batch, plans: Mapping[int, Plans]) -> None:
        """Ask how it stood with sensors of which nobody has heard here, before their first readings."""
        for ids, before in beginnings(batch, plans.keys() - self._last.keys()):
            self._last |= dict.fromkeys(ids, (before, np.nan))
            stood = telemetry.standing(ids, codes=[HUMIDITY], before=before, hours=RECALLED_HOURS)
            self._last |= {asset: (one.time, one.value) for (asset, _), one in stood.items()}


class Screen:
    """Leaves out of entries of the log what is marked as bad, and what is seen at once to be no measurement."""

    def __init__(self) -> None:
        self._known = KnownPlans()
        self._moisture, self._position = Moisture(), 0

    def sound(self, entries: Sequence[LogEntry]) -> list[LogEntry]:
        """Return the entries without those values; a reading of which nothing is left stays."""
        if not any(_has_readings(entry) for entry in entries):
            return list(entries)
        if entries[0].position <= self._position:
            # They are read once more: the humidity of what came after them is none of theirs.
            self._moisture = Moisture()
        self._position = entries[-1].position
        self._known.refresh()
        return [
            replace(entry, batch=self._screened(entry.batch)) if _has_readings(entry) else entry
            for entry in telemetry.sound(entries)
        ]

    def _screened(self, batch: Batch) -> Batch:
        plans = self._known.of(batch)
        if not plans:
            return batch
        columns: dict[str, Floats] = dict(batch.values)
        alike = _alike(plans)
        optical = {asset: plan for some, plan in alike if _asks_humidity(plan) for asset in some}
        moisture = self._moisture.of(batch, optical) if optical else None
        for some, plan in alike:
            rows = np.isin(batch.assets, some)
            for code, flags in doubtful(batch, plan, moisture).items():
                bad = rows & flags
                if bad.any():
                    columns[code] = np.where(bad, np.nan, columns[code])
        there = {code: column for code, column in columns.items() if not np.isnan(column).all()}
        return Batch(batch.assets, batch.times, there)


def doubtful(batch: Batch, plans: Plans, moisture: Floats | None = None) -> dict[str, Flags]:
    """Tell of a batch's columns which values are no measurements by themselves, by the tests of its assets.

    ``moisture`` is the relative humidity (%) at each reading, NaN where it is not known.
    """
    found: dict[str, Flags] = {}
    for code, plan in plans.items():
        if code in batch.values:
            found[code] = _alone(batch.values[code], plan)
            if moisture is not None and plan.humidity is not None and Flag.HUMIDITY not in plan.keep:
                found[code] |= moisture > plan.humidity
        for name, flags in _channels(batch, code, plan):
            found[name] = found.get(name, np.zeros(len(batch), bool)) | flags
    return found


def _alone(values: Floats, plan: Plan) -> Flags:
    checks, keep = plan.checks, plan.keep
    low, high = (-np.inf if checks.minimum is None else checks.minimum), checks.maximum
    outside: Flags = (values < low) | (values > (np.inf if high is None else high))
    sentinel = np.isin(values, list(checks.sentinels))
    outside &= ~sentinel & (Flag.RANGE not in keep)
    return outside | (sentinel & (Flag.SENTINEL not in keep))


def _asks_humidity(plans: Plans) -> bool:
    return any(plan.humidity is not None for plan in plans.values())


def _channels(batch: Batch, code: str, plan: Plan) -> Iterable[tuple[str, Flags]]:
    names = (f"{code}_a", f"{code}_b")
    if not plan.channels or Flag.CHANNELS in plan.keep or not batch.values.keys() >= set(names):
        return []
    flags = disagreeing(*(batch.values[name] for name in names))
    return [(name, flags) for name in (*names, code) if name in batch.values]


def _alike(plans: Mapping[int, Plans]) -> list[tuple[list[int], Plans]]:
    """Put the assets together that have the same tests: nearly all have the usual ones."""
    found: dict[int, tuple[list[int], Plans]] = {}
    for asset, one in plans.items():
        found.setdefault(id(one), ([], one))[0].append(asset)
    return list(found.values())


def _has_readings(entry: LogEntry) -> bool:
    return entry.kind is Kind.READINGS and bool(len(entry.batch))
