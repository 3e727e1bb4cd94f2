"""The in-memory twin: the same answers by the plainest means, to hold the real store against in tests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise

import numpy as np

from techtrack.core.clock import to_micros
from techtrack.telemetry.domain.directions import resolved, whole
from techtrack.telemetry.domain.quality import Mark, Quality, in_force
from techtrack.telemetry.domain.reading import FOREVER, Batch, Ints, Kind, Origin, Readings, Row
from techtrack.telemetry.domain.statistics import SECOND, STATISTICS, Statistics
from techtrack.telemetry.store.base import Growth, LatestValue, LogEntry, Packed, Series, Span

Values = dict[str, float]


class MemoryStore:
    """Dictionaries by asset and time; knows no transaction, and forgets nothing of its log."""

    def __init__(self) -> None:
        self._values: dict[int, dict[int, Values]] = defaultdict(dict)
        self._locked: dict[tuple[int, int], set[str] | None] = {}
        self._marks: list[Mark] = []
        self._marked: dict[int, Mark] = {}
        self._log: list[LogEntry] = []
        self._head = 0
        self._forgotten: set[int] = set()

    def packed(self, batch: Batch) -> Packed:
        return Packed(batch, b"")

    def append(self, batch: Batch | Packed, *, kind: Kind, origin: Origin, now: datetime) -> int:
        batch = batch.batch if isinstance(batch, Packed) else batch
        for row in batch.rows():
            if row.asset not in self._forgotten:
                self._write(row, kind)
        return self._logged(batch, kind, origin, now)

    def mark(self, marks: Sequence[Mark], *, grown: Sequence[Growth] = (), now: datetime) -> list[int]:
        first = self._head + 1
        longer = [growth.mark for growth in grown if self._grow(growth)]
        if noted := [*marks, *longer]:
            batch = Batch.of(Row(mark.asset, time, {}) for mark in noted for time in (mark.start, mark.end - 1))
            origin = Origin.TESTS if all(mark.flag for mark in noted) else Origin.LIVE
            self._logged(batch, Kind.QUALITY, origin, now, positions=len(noted))
        positions = list(range(first, first + len(marks)))
        self._marks += marks
        self._marked |= dict(zip(positions, marks, strict=True))
        return positions

    def _grow(self, growth: Growth) -> bool:
        mark, there = growth.mark, self._marked.get(growth.position)
        if there is None or there not in self._marks or not there.flag or there.end >= mark.end:
            return False
        if mark.asset in self._forgotten:
            return False
        longer = replace(there, end=mark.end)
        self._marks[self._marks.index(there)] = self._marked[growth.position] = longer
        return True

    def forget(self, asset: int, *, now: datetime) -> int:
        self._forgotten.add(asset)
        self._values.pop(asset, None)
        self._locked = {place: lock for place, lock in self._locked.items() if place[0] != asset}
        self._marks = [mark for mark in self._marks if mark.asset != asset]
        return self._logged(Batch(np.array([asset]), np.array([0]), {}), Kind.FORGET, Origin.LIVE, now)

    def readings(
        self, assets: Iterable[int], *, span: Span = FOREVER, codes: Sequence[str] = ()
    ) -> dict[int, Readings]:
        found = {asset: self._columns(asset, span) for asset in assets}
        return {asset: readings for asset, readings in found.items() if len(readings.times)}

    def latest(self, assets: Iterable[int]) -> dict[int, dict[str, LatestValue]]:
        found: dict[int, dict[str, LatestValue]] = {}
        for asset in assets:
            for time, values in self._present(asset):
                newest = {code: LatestValue(time, value) for code, value in values.items()}
                found.setdefault(asset, {}).update(newest)
        return found

    def statistics(self, assets: Iterable[int], *, codes: Sequence[str], edges: Ints) -> dict[Series, Statistics]:
        found = {}
        for asset in assets:
            for code in codes or sorted({code for _, values in self._present(asset) for code in values}):
                series = self.usable(asset, whole(code))
                told = [(time, float(resolved(np.array(value), code))) for time, value in series]
                statistics = _statistics(told, edges.tolist())
                if statistics["count"].any():
                    found[asset, code] = statistics
        return found

    def extent(self, assets: Iterable[int]) -> Span | None:
        times = [time for asset in assets for time, _ in self._present(asset)]
        return (min(times), max(times) + 1) if times else None

    def head(self) -> int:
        return self._head

    def log(self, *, after: int, limit: int) -> list[LogEntry]:
        return [entry for entry in self._log if entry.position > after][:limit]

    def usable(self, asset: int, code: str) -> list[tuple[int, float]]:
        """Give times and values of one series without those that are marked bad or missing."""
        series = [(time, values[code]) for time, values in self._present(asset) if code in values]
        return [(time, value) for time, value in series if self._quality(asset, code, time) <= Quality.SUSPECT]

    def _quality(self, asset: int, code: str, time: int) -> Quality:
        said = [
            mark.quality
            for mark in in_force(self._marks)
            if mark.asset == asset and mark.code in {None, code} and mark.start <= time < mark.end
        ]
        return said[-1] if said else Quality.GOOD

    def _present(self, asset: int) -> list[tuple[int, Values]]:
        return sorted((time, values) for time, values in self._values.get(asset, {}).items() if values)

    def _write(self, row: Row, kind: Kind) -> None:
        place = (row.asset, row.time)
        lock = self._locked.get(place, set())
        there = self._values[row.asset].setdefault(row.time, {})
        if kind in {Kind.REPLACE, Kind.REMOVE}:
            there.clear()
            self._locked[place] = lock = None
        elif kind is Kind.PATCH:
            self._locked[place] = lock = None if lock is None else lock | row.values.keys()
        if kind is not Kind.READINGS:
            there.update(row.values)
        elif lock is not None:
            there.update({code: value for code, value in row.values.items() if code not in lock})

    def _logged(self, batch: Batch, kind: Kind, origin: Origin, now: datetime, positions: int = 1) -> int:
        self._head += positions
        self._log.append(LogEntry(self._head, kind, origin, batch, to_micros(now)))
        return self._head

    def _columns(self, asset: int, span: Span) -> Readings:
        present = {time: values for time, values in self._present(asset) if span[0] <= time < span[1]}
        batch = Batch.of(Row(0, time, values) for time, values in present.items())
        marks = tuple(mark for mark in in_force(self._marks) if mark.asset == asset)
        return Readings(np.array(list(present), np.int64), batch.values, marks=marks)


def _statistics(series: Sequence[tuple[int, float]], edges: Sequence[int]) -> Statistics:
    """Go through the stretches one by one, value by value."""
    found = np.zeros(len(edges) - 1, STATISTICS)
    for index, (start, end) in enumerate(pairwise(edges)):
        stretch = [(time, value) for time, value in series if start <= time < end]
        if not stretch:
            continue
        values = [value for _, value in stretch]
        mean = sum(values) / len(values)
        held = [value * ((after - time) / SECOND) for (time, value), (after, _) in pairwise(stretch)]
        distances = [(value - mean) * (value - mean) for value in values]
        extremes = (len(values), min(values), max(values), sum(values), sum(distances))
        found[index] = (*extremes, stretch[0][1], stretch[0][0], stretch[-1][1], stretch[-1][0], sum(held))
    return found
