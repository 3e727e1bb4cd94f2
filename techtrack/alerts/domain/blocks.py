"""Entries of the log laid end to end, so that numpy has something to chew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from techtrack.alerts.domain.series import Column, Floats, Ints, Panel
from techtrack.telemetry.domain.reading import Kind, Origin
from techtrack.telemetry.store.base import LogEntry

Rows = npt.NDArray[np.intp]
# Columns up to this length stay in the processor's cache.
LARGEST = 16_384
_N = TypeVar("_N", np.int64, np.float64)


def judged(entry: LogEntry) -> bool:
    """Tell whether the judge looks at an entry: corrections and imported history are not news."""
    return entry.kind is Kind.READINGS and entry.origin is not Origin.IMPORT


class Rowwise(NamedTuple):
    """The readings of watched assets by row, turn and time; ``twice``: two have all of these in common."""

    places: Rows
    rows: Rows
    turns: Ints
    times: Ints
    twice: bool


class Block:
    """Readings with the same parameters, laid end to end in the order of the log, or of several blocks.

    ``positions`` are those of the entries that brought the readings up to ``ends``.
    """

    def __init__(self, assets: Ints, times: Ints, values: dict[str, Floats], positions: Ints, ends: Ints) -> None:
        self.assets, self.times, self.values = assets, times, values
        self.positions, self.ends = positions, ends
        self._rows: dict[int, Rows] = {}
        self._rowwise: dict[int, Rowwise] = {}
        in_order = bool((self.times[1:] >= self.times[:-1]).all())
        self._order: Rows | None = None if in_order else np.argsort(self.times, kind="stable")

    @classmethod
    def of(cls, entries: Sequence[LogEntry]) -> Block:
        """Lay entries together."""
        batches = [entry.batch for entry in entries]
        values = {code: _joined([batch.values[code] for batch in batches]) for code in batches[0].values}
        positions = np.array([entry.position for entry in entries], np.int64)
        assets, times = _joined([batch.assets for batch in batches]), _joined([batch.times for batch in batches])
        return cls(assets, times, values, positions, np.cumsum([len(batch) for batch in batches]))

    @classmethod
    def narrowed(cls, some: Sequence[Block], panel: Panel) -> Block:
        """Lay together what blocks with the same parameters have of a panel's assets."""
        places = [np.flatnonzero(block.rows(panel) < len(panel)) for block in some]
        assets = _joined([block.assets[which] for block, which in zip(some, places, strict=True)])
        times = _joined([block.times[which] for block, which in zip(some, places, strict=True)])
        values = {
            code: _joined([block.values[code][which] for block, which in zip(some, places, strict=True)])
            for code in some[0].values
        }
        ends = [np.searchsorted(which, block.ends) for block, which in zip(some, places, strict=True)]
        offsets = np.cumsum([0, *(len(which) for which in places[:-1])])
        positions = np.concatenate([block.positions for block in some])
        return cls(assets, times, values, positions, np.concatenate(ends) + np.repeat(offsets, [len(e) for e in ends]))

    @cached_property
    def first(self) -> int:
        """The oldest time (µs)."""
        return int(self.times.min())

    @cached_property
    def last(self) -> int:
        """The newest time (µs)."""
        return int(self.times.max())

    def rows(self, panel: Panel) -> Rows:
        """Return the row of each reading's asset; columns that share a panel share the look-up."""
        if id(panel) not in self._rows:
            self._rows[id(panel)] = panel.find(self.assets)
        return self._rows[id(panel)]

    def rowwise(self, panel: Panel) -> Rowwise:
        """Return the readings of the panel's assets in order; columns that share a panel share this, too."""
        if id(panel) not in self._rowwise:
            rows = self.rows(panel)
            places = np.flatnonzero(rows < len(panel))
            rows, turns, times = rows[places], self.turns(places), self.times[places]
            # Mostly they are by time and by turn; laid together of blocks they may be by time alone.
            sorted_already = self._order is None and bool((self.positions[1:] > self.positions[:-1]).all())
            order = np.argsort(rows, kind="stable") if sorted_already else np.lexsort((times, turns, rows))
            rows, turns, times = rows[order], turns[order], times[order]
            same = (rows[1:] == rows[:-1]) & (turns[1:] == turns[:-1]) & (times[1:] == times[:-1])
            self._rowwise[id(panel)] = Rowwise(places[order], rows, turns, times, bool(same.any()))
        return self._rowwise[id(panel)]

    def turns(self, places: Rows) -> Ints:
        """Return the positions of the entries that brought the readings at ``places``."""
        return self.positions[np.searchsorted(self.ends, places, side="right")]

    def in_time(self, there: npt.NDArray[np.bool_] | None) -> Rows | slice:
        """Index the readings, or those that are ``there``, by time."""
        if self._order is None:
            return slice(None) if there is None else np.flatnonzero(there)
        return self._order if there is None else self._order[there[self._order]]


def see_block(block: Block, code: str, column: Column, seen: Ints) -> None:
    """Raise the newest times in ``seen``, by row, to those of the values that are there."""
    absent = np.isnan(block.values[code])
    order = block.in_time(~absent if absent.any() else None)
    rows, times = block.rows(column.panel)[order], block.times[order]
    # numpy assigns in order, so that of several values of a series the newest stays.
    seen[rows] = np.maximum(seen.take(rows), times)


def blocks(entries: Iterable[LogEntry]) -> Iterator[Block]:
    """Lay entries with the same parameters together, in blocks of a size that is good for the cache."""
    waiting: dict[tuple[str, ...], list[LogEntry]] = {}
    sizes: dict[tuple[str, ...], int] = {}
    for entry in entries:
        codes = tuple(entry.batch.values)
        waiting.setdefault(codes, []).append(entry)
        sizes[codes] = sizes.get(codes, 0) + len(entry.batch)
        if sizes[codes] >= LARGEST:
            yield Block.of(waiting.pop(codes))
            sizes[codes] = 0
    for together in waiting.values():
        yield Block.of(together)


def _joined(columns: list[npt.NDArray[_N]]) -> npt.NDArray[_N]:
    return columns[0] if len(columns) == 1 else np.concatenate(columns)
