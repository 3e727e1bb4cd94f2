"""Finds among many readings the series that a rule has to look at, sample by sample; all others are only seen.

A series may be passed over if all its rules are quiet and all its values lie where no rule can wake. That is
looked up on columns; for a few readings a plain loop is faster.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import isnan
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from techtrack.alerts.domain.blocks import Block, blocks, judged, see_block
from techtrack.alerts.domain.series import Column
from techtrack.alerts.memory import Memory
from techtrack.telemetry.store.base import LogEntry

# Up to so many readings the loop is faster (benchmarks/judge.py).
FEW = 8


class Sample(NamedTuple):
    """A value of a series; ``turn`` is the position of the entry that brought it, ``at`` event time in µs."""

    turn: int
    at: int
    value: float


class Touched(NamedTuple):
    """A series that must be stepped, with its samples in the order in which they are judged."""

    code: str
    row: int
    samples: list[Sample]


class ByLoop:
    """Looks at a few readings one by one."""

    def __init__(self, entries: Sequence[LogEntry], memory: Memory) -> None:
        self._memory = memory
        self._found: dict[tuple[str, int], list[Sample]] = {}
        self._touched: dict[tuple[str, int], None] = {}
        for entry in entries:
            times, assets = entry.batch.times.tolist(), entry.batch.assets.tolist()
            for asset, at in zip(assets, times, strict=True):
                memory.sightings.note_one(asset, at)
            for code in entry.batch.values if judged(entry) else ():
                if code in memory.book.columns:
                    samples = zip(assets, times, entry.batch.values[code].tolist(), strict=True)
                    self._take(entry.position, code, memory.book.columns[code], samples)

    def touched(self) -> Iterator[Touched]:
        """Give the series to step."""
        for code, row in self._touched:
            yield Touched(code, row, sorted(self._found[code, row]))

    def see(self) -> None:
        """Remember what was seen."""
        for (code, row), samples in self._found.items():
            self._memory.tracks[code].see(row, max(sample.at for sample in samples))

    def _take(self, turn: int, code: str, column: Column, samples: Iterable[tuple[int, int, float]]) -> None:
        panel, awake = column.panel, self._memory.tracks[code].awake
        for asset, at, value in samples:
            row = panel.row(asset)
            if row == panel.others or isnan(value):
                continue
            self._found.setdefault((code, row), []).append(Sample(turn, at, value))
            if value < column.low[row] or value > column.high[row] or awake[row]:
                self._touched[code, row] = None


class ByColumns:
    """Looks at many readings at once."""

    def __init__(self, entries: Sequence[LogEntry], memory: Memory) -> None:
        self._memory = memory
        self._blocks = list(blocks(entry for entry in entries if judged(entry)))
        imported = blocks(entry for entry in entries if not judged(entry))
        for block in (*self._blocks, *imported):
            memory.note(block)

    def touched(self) -> Iterator[Touched]:
        """Give the series to step."""
        for code in dict.fromkeys(code for block in self._blocks for code in block.values):
            if code in self._memory.book.columns:
                yield from self._touched(code, [block for block in self._blocks if code in block.values])

    def see(self) -> None:
        """Remember what was seen."""
        for block in self._blocks:
            for code in block.values.keys() & self._memory.book.columns.keys():
                see_block(block, code, self._memory.book.columns[code], self._memory.tracks[code].seen)

    def _touched(self, code: str, blocks: Sequence[Block]) -> Iterator[Touched]:
        column, flags = self._memory.book.columns[code], self._memory.tracks[code].awake.copy()
        for block in blocks:
            rows, values = block.rows(column.panel), block.values[code]
            # NaN, which is no reading, is neither below nor above.
            wakes = (values < column.low.take(rows)) | (values > column.high.take(rows))
            if wakes.any():
                flags[rows[wakes]] = True
        if flags.any():
            yield from _samples(code, column, blocks, flags)


def screened(entries: Sequence[LogEntry], memory: Memory) -> ByLoop | ByColumns:
    """Look at entries with readings in the way that suits their number."""
    size = sum(len(entry.batch) for entry in entries)
    return ByLoop(entries, memory) if size <= FEW else ByColumns(entries, memory)


def _samples(code: str, column: Column, blocks: Iterable[Block], flags: npt.NDArray[np.bool_]) -> Iterator[Touched]:
    """Gather the samples of the flagged rows, sorted by row, turn, time and value."""
    parts = []
    for block in blocks:
        rows, values = block.rows(column.panel), block.values[code]
        places = np.flatnonzero(flags.take(rows) & ~np.isnan(values))
        parts.append((rows[places], block.turns(places), block.times[places], values[places]))
    rows, turns, times, values = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.lexsort((values, times, turns, rows))
    found, starts = np.unique(rows[order], return_index=True)
    samples = [Sample(*one) for one in zip(*(c[order].tolist() for c in (turns, times, values)), strict=True)]
    bounds = [*starts.tolist(), len(samples)]
    for row, start, end in zip(found.tolist(), bounds[:-1], bounds[1:], strict=True):
        yield Touched(code, row, samples[start:end])
