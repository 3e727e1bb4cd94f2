"""Entries of the log laid end to end, so that numpy has something to chew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
    """Entries with the same parameters, laid end to end."""

    def __init__(self, entries: Sequence[LogEntry]) -> None:
        batches = [entry.batch for entry in entries]
        self.assets: Ints = _joined([batch.assets for batch in batches])
        self.times: Ints = _joined([batch.times for batch in batches])
        self.values: dict[str, Floats] = {
            code: _joined([b.values[code] for b in batches]) for code in batches[0].values
        }
        self._positions = np.array([entry.position for entry in entries], np.int64)
        self._ends = np.cumsum([len(batch) for batch in batches])
        self._rows: dict[int, Rows] = {}
        self._rowwise: dict[int, Rowwise] = {}
        in_order = bool((self.times[1:] >= self.times[:-1]).all())
        self._order: Rows | None = None if in_order else np.argsort(self.times, kind="stable")

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
            order = np.lexsort((times, turns, rows))
            rows, turns, times = rows[order], turns[order], times[order]
            same = (rows[1:] == rows[:-1]) & (turns[1:] == turns[:-1]) & (times[1:] == times[:-1])
            self._rowwise[id(panel)] = Rowwise(places[order], rows, turns, times, bool(same.any()))
        return self._rowwise[id(panel)]

    def turns(self, places: Rows) -> Ints:
        """Return the positions of the entries that brought the readings at ``places``."""
        return self._positions[np.searchsorted(self._ends, places, side="right")]

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
            yield Block(waiting.pop(codes))
            sizes[codes] = 0
    for together in waiting.values():
        yield Block(together)


def _joined(columns: list[npt.NDArray[_N]]) -> npt.NDArray[_N]:
    return columns[0] if len(columns) == 1 else np.concatenate(columns)
