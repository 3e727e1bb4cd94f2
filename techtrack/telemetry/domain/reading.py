"""Readings as numpy columns: a batch on its way in, and everything known of one asset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from techtrack.telemetry.domain.quality import USABLE, Mark, Qualities, qualities

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
FOREVER = (int(np.iinfo(np.int64).min), int(np.iinfo(np.int64).max))


class Kind(IntEnum):
    """How a write treats what is there already."""

    READINGS = 0  # what a device sends: merges by parameter, never undoes a correction
    REPLACE = 1  # a person's whole reading: parameters left out become absent
    PATCH = 2  # a person's values for some parameters
    REMOVE = 3  # a person's deletion
    QUALITY = 4  # stretches were marked: times hold the first and last µs of each, the marks themselves are rows
    FORGET = 5  # the asset was deleted: all of it is void, and what comes later


class Origin(IntEnum):
    """Where a batch comes from; imports are history and are not judged."""

    LIVE = 0
    REPLAY = 1
    IMPORT = 2
    TESTS = 3  # what the platform itself says of the quality of readings: no person waits for its effect


class Row(NamedTuple):
    """One reading: asset id, µs since 1970 (UTC), values by parameter code."""

    asset: int
    time: int
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Batch:
    """Readings in the order in which they were written.

    ``assets`` and ``times`` (µs, UTC) have one entry a reading, so has each column of ``values``;
    NaN stands for "not in this reading", since NaN is refused as a value at every door.
    """

    assets: Ints
    times: Ints
    values: Mapping[str, Floats]

    def __len__(self) -> int:
        return len(self.times)

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Batch:
        """Build the columns from rows."""
        rows = list(rows)
        values = [row.values for row in rows]
        return cls(
            np.array([row.asset for row in rows], np.int64),
            np.array([row.time for row in rows], np.int64),
            {
                code: np.array([one.get(code, np.nan) for one in values], np.float64)
                for code in dict.fromkeys(chain.from_iterable(values))
            },
        )

    def rows(self) -> Iterator[Row]:
        """Give the readings one by one, in order."""
        columns = {code: column.tolist() for code, column in self.values.items()}
        for index, (asset, time) in enumerate(zip(self.assets.tolist(), self.times.tolist(), strict=True)):
            # A float that differs from itself is NaN: absent.
            yield Row(asset, time, {code: c[index] for code, c in columns.items() if c[index] == c[index]})

    def take(self, index: npt.NDArray[np.intp] | npt.NDArray[np.bool_] | slice) -> Batch:
        """Give the readings at ``index``, without the columns that are absent in all of them."""
        columns = {code: column[index] for code, column in self.values.items()}
        kept = {code: column for code, column in columns.items() if not np.isnan(column).all()}
        return Batch(self.assets[index], self.times[index], kept)

    def by_asset(self) -> Iterator[tuple[int, Batch]]:
        """Split into one batch per asset, each in the order of writing."""
        if not len(self):
            return
        if (self.assets == self.assets[0]).all():
            yield int(self.assets[0]), self
            return
        order = np.argsort(self.assets, kind="stable")
        ids, starts = np.unique(self.assets[order], return_index=True)
        for asset, index in zip(ids.tolist(), np.split(order, starts[1:]), strict=True):
            yield asset, self.take(index)


@dataclass(frozen=True, slots=True)
class Readings:
    """All that is known of one asset: ``times`` (µs) ascending and unique, columns with NaN for absent.

    ``locked`` holds the times that a person corrected: None where the whole reading is as the person
    wants it, else the parameters that are. What a device sends later does not reach those.
    ``damaged`` names hours (since 1970) of which what is stored cannot be read.
    """

    times: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    columns: Mapping[str, Floats] = field(default_factory=dict)
    locked: Mapping[int, frozenset[str] | None] = field(default_factory=dict)
    marks: tuple[Mark, ...] = ()
    damaged: tuple[int, ...] = ()

    def between(self, start: int, end: int) -> Readings:
        """Give the readings with ``start <= time < end``, removed ones left out; locks are not carried over."""
        first, last = np.searchsorted(self.times, [start, end])
        columns = {code: column[first:last] for code, column in self.columns.items()}
        times = self.times[first:last]
        if self.locked:
            there = ~np.isnan(np.stack([np.full(len(times), np.nan), *columns.values()])).all(axis=0)
            columns, times = {code: column[there] for code, column in columns.items()}, times[there]
        return Readings(times, columns, marks=self.marks)

    def at(self, index: int) -> dict[str, float]:
        """Give the values of the reading at a position."""
        values = {code: float(column[index]) for code, column in self.columns.items()}
        return {code: value for code, value in values.items() if not np.isnan(value)}

    def series(self, code: str) -> tuple[Ints, Floats]:
        """Give times and values of one parameter, absent ones left out."""
        column = self.columns.get(code)
        if column is None:
            return self.times[:0], np.empty(0)
        there = ~np.isnan(column)
        return self.times[there], column[there]

    def usable(self, code: str) -> tuple[Ints, Floats]:
        """Give times and values of one parameter without those that are marked bad or missing."""
        times, values = self.series(code)
        if not self.marks:
            return times, values
        good = qualities(times, code, self.marks) <= USABLE
        return times[good], values[good]

    def quality(self, code: str) -> Qualities:
        """Give the quality of each entry of a parameter's column."""
        return qualities(self.times, code, self.marks)


def fold(known: Readings, write: Batch, kind: Kind) -> Readings:
    """Lay one asset's ``write`` over what is ``known``: the newest write wins, parameter by parameter."""
    if kind is Kind.READINGS and known.locked:
        write = _unlocked(known, write)
    times = _union(known.times, write.times)
    columns = {code: _spread(known.times, column, times) for code, column in known.columns.items()}
    places = np.searchsorted(times, write.times)
    if kind in {Kind.REPLACE, Kind.REMOVE}:
        for column in columns.values():
            column[places] = np.nan
    for code, values in write.values.items():
        column = columns.setdefault(code, np.full(len(times), np.nan))
        there = ~np.isnan(values)
        # numpy assigns in order, so that of two writes to one place the later one stays.
        column[places[there]] = values[there]
    return Readings(times, columns, _lock(known.locked, write, kind))


def _union(old: Ints, new: Ints) -> Ints:
    # Live data arrive in order: then no sort of the past is needed.
    in_order = len(new) > 0 and (not len(old) or new[0] > old[-1]) and bool((np.diff(new) > 0).all())
    if in_order:
        return np.concatenate([old, new])
    return np.union1d(old, new)


def _spread(old: Ints, column: Floats, times: Ints) -> Floats:
    spread = np.full(len(times), np.nan)
    spread[np.searchsorted(times, old)] = column
    return spread


def _lock(locked: Mapping[int, frozenset[str] | None], write: Batch, kind: Kind) -> Mapping[int, frozenset[str] | None]:
    if kind is Kind.READINGS:
        return locked
    added: dict[int, frozenset[str] | None] = {}
    for row in write.rows():
        before = locked.get(row.time, frozenset())
        whole = kind is not Kind.PATCH or before is None
        added[row.time] = None if whole else frozenset(before or ()) | row.values.keys()
    return {**locked, **added}


def _unlocked(known: Readings, write: Batch) -> Batch:
    """Leave out of a device's write what a person has corrected."""
    if not np.isin(write.times, np.fromiter(known.locked, np.int64)).any():
        return write
    kept = []
    for row in write.rows():
        lock = known.locked.get(row.time, frozenset())
        values = {} if lock is None else {code: value for code, value in row.values.items() if code not in lock}
        if values:
            kept.append(Row(row.asset, row.time, values))
    return Batch.of(kept)
