"""The in-memory twin: the same answers by the plainest means, to hold the real store against in tests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

import numpy as np

from techtrack.core.clock import from_micros
from techtrack.telemetry.domain.reading import Batch, Kind, Origin, Readings, Row
from techtrack.telemetry.store.base import LatestValue, LogEntry

Values = dict[str, float]


class MemoryStore:
    """Dictionaries by asset and time; knows no transaction."""

    def __init__(self) -> None:
        self._values: dict[int, dict[int, Values]] = defaultdict(dict)
        self._locked: dict[tuple[int, int], set[str] | None] = {}
        self._log: list[LogEntry] = []

    def append(self, batch: Batch, *, kind: Kind, origin: Origin, now: datetime) -> int:
        for row in batch.rows():
            self._write(row, kind)
        self._log.append(LogEntry(len(self._log) + 1, kind, origin, batch))
        return len(self._log)

    def readings(self, assets: Iterable[int]) -> dict[int, Readings]:
        return {asset: self._columns(self._values[asset]) for asset in assets if self._present(asset)}

    def latest(self, assets: Iterable[int]) -> dict[int, dict[str, LatestValue]]:
        found: dict[int, dict[str, LatestValue]] = {}
        for asset in assets:
            for time, values in sorted(self._present(asset).items()):
                newest = {code: LatestValue(from_micros(time), value) for code, value in values.items()}
                found.setdefault(asset, {}).update(newest)
        return found

    def forget(self, asset: int) -> None:
        self._values.pop(asset, None)
        self._locked = {place: lock for place, lock in self._locked.items() if place[0] != asset}
        self._log = [
            LogEntry(entry.position, entry.kind, entry.origin, entry.batch.take(entry.batch.assets != asset))
            for entry in self._log
        ]

    def head(self) -> int:
        return len(self._log)

    def log(self, *, after: int, limit: int) -> list[LogEntry]:
        return self._log[after : after + limit]

    def _present(self, asset: int) -> dict[int, Values]:
        return {time: values for time, values in self._values.get(asset, {}).items() if values}

    def _write(self, row: Row, kind: Kind) -> None:
        place, lock = (row.asset, row.time), self._locked.get((row.asset, row.time), set())
        there = self._values[row.asset].setdefault(row.time, {})
        if kind in {Kind.REPLACE, Kind.REMOVE}:
            there.clear()
            self._locked[place] = None
        elif kind is Kind.PATCH:
            self._locked[place] = None if lock is None else lock | row.values.keys()
        elif lock is None:
            return
        allowed = (
            row.values if kind is not Kind.READINGS else {c: v for c, v in row.values.items() if c not in (lock or ())}
        )
        there.update(allowed)

    def _columns(self, rows: dict[int, Values]) -> Readings:
        present = {time: values for time, values in sorted(rows.items()) if values}
        batch = Batch.of(Row(0, time, values) for time, values in present.items())
        return Readings(np.array(list(present), np.int64), batch.values)
