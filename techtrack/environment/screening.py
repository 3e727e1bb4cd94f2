"""What can be said of a reading the moment it arrives: how its asset is tested, and what is no measurement.

Rules judge a reading at once. What later readings show (spikes, values that are stuck, neighbours) comes too late for
them; sentinels, values out of range, channels that disagree and fog are left out of what they see.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from techtrack.airquality.hours import Flags
from techtrack.airquality.quality import Flag, disagreeing
from techtrack.core.models import Head
from techtrack.environment import queries
from techtrack.environment.domain.checks import USUAL, Plan
from techtrack.environment.domain.pollutants import POLLUTANTS
from techtrack.environment.domain.testing import HUMIDITY, Plans
from techtrack.environment.models import TESTS
from techtrack.telemetry import queries as telemetry
from techtrack.telemetry.domain.reading import Batch, Floats, Kind
from techtrack.telemetry.store.base import LogEntry

# How long (s) what is known of assets counts; what changes of their settings is seen at once.
KNOWN_FOR = 60.0


class KnownPlans:
    """The tests of assets, looked up once and kept for a while."""

    def __init__(self) -> None:
        self._plans: dict[int, Plans] = {}
        # Of whom was asked whether they measure air, without and with their sending a pollutant.
        self._asked: tuple[set[int], set[int]] = set(), set()
        self._generation, self._until = -1, 0.0

    def refresh(self) -> None:
        """Forget everything where settings changed, or it was known for long enough."""
        generation = Head.current(TESTS)
        if generation != self._generation or time.monotonic() >= self._until:
            self._plans, self._asked = {}, (set(), set())
            self._generation, self._until = generation, time.monotonic() + KNOWN_FOR

    def of(self, batch: Batch) -> dict[int, Plans]:
        """Return the tests of those assets of a batch that measure air.

        One that sends a pollutant for the first time does so from now on.
        """
        here = set(batch.assets.tolist())
        sends = bool(POLLUTANTS & batch.values.keys())
        ids = sorted(here - self._plans.keys() - self._asked[sends])
        self._plans |= queries.plans_of(ids, sending=tuple(batch.values) if sends else ())
        self._asked[sends].update(ids)
        return {asset: self._plans[asset] for asset in here & self._plans.keys()}


class Screen:
    """Leaves out of entries of the log what is marked as bad, and what is seen at once to be no measurement."""

    def __init__(self) -> None:
        self._known = KnownPlans()

    def sound(self, entries: Sequence[LogEntry]) -> list[LogEntry]:
        """Return the entries without those values; a reading of which nothing is left stays."""
        found = telemetry.sound(entries)
        if any(_may_be_air(entry) for entry in found):
            self._known.refresh()
            found = [
                replace(entry, batch=self._screened(entry.batch)) if _may_be_air(entry) else entry for entry in found
            ]
        return found

    def _screened(self, batch: Batch) -> Batch:
        plans = self._known.of(batch)
        if not plans:
            return batch
        columns: dict[str, Floats] = dict(batch.values)
        for some, plan in _alike(plans):
            rows = np.isin(batch.assets, some)
            for code, flags in doubtful(batch, plan).items():
                bad = rows & flags
                if bad.any():
                    columns[code] = np.where(bad, np.nan, columns[code])
        there = {code: column for code, column in columns.items() if not np.isnan(column).all()}
        return Batch(batch.assets, batch.times, there)


def doubtful(batch: Batch, plans: Plans) -> dict[str, Flags]:
    """Tell of a batch's columns which values are no measurements by themselves, by the tests of its assets."""
    found: dict[str, Flags] = {}
    for code, plan in plans.items():
        if code in batch.values:
            found[code] = _alone(batch.values[code], plan) | _fog(batch, plan)
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


def _fog(batch: Batch, plan: Plan) -> Flags:
    if plan.humidity is None or HUMIDITY not in batch.values or Flag.HUMIDITY in plan.keep:
        return np.zeros(len(batch), bool)
    moist: Flags = batch.values[HUMIDITY] > plan.humidity
    return moist


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


def _may_be_air(entry: LogEntry) -> bool:
    return entry.kind is Kind.READINGS and bool(len(entry.batch)) and not USUAL.keys().isdisjoint(entry.batch.values)
