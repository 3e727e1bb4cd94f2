"""Finds among many readings the series that a rule has to look at, sample by sample; all others are only seen.

A series may be passed over if all its rules are asleep and all its values lie where no rule can wake. That is
looked up on columns; for a few readings a plain loop is faster. Features that are derived are fed all readings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import isnan
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from techtrack.alerts.domain.blocks import Block, blocks, judged, see_block
from techtrack.alerts.domain.features.base import NEVER, NOTHING, Feature, Samples
from techtrack.alerts.domain.series import Column, Ints
from techtrack.alerts.memory import Memory, Track
from techtrack.telemetry.store.base import LogEntry

# Up to so many readings the loop is faster (benchmarks/judge.py).
FEW = 8
# Of how late readings used to be, so much is believed at the next look: seven eighths.
_REMEMBERED, _OF = 7, 8


class Sample(NamedTuple):
    """A value of a series; ``turn`` is the position of the entry that brought it, ``at`` event time in µs."""

    turn: int
    at: int
    value: float


class Touched(NamedTuple):
    """A series that must be stepped, with its samples in the order in which they are judged.

    ``late`` are those that are not newer than one before them, or than what was ``seen`` before; they come in the order
    of the log.
    """

    feature: Feature
    row: int
    samples: list[Sample]
    late: list[Sample]
    seen: int


def screened(entries: Sequence[LogEntry], memory: Memory, plant_now: int) -> list[Touched]:
    """Take entries with readings into ``memory``; return what must be stepped. ``plant_now`` in µs."""
    heard = [entry for entry in entries if judged(entry)]
    few = sum(len(entry.batch) for entry in entries) <= FEW
    read = list(blocks(heard)) if not few or memory.book.derives else []
    if few:
        _note_few(entries, memory)
    else:
        for block in (*read, *blocks(entry for entry in entries if not judged(entry))):
            memory.note(block)
    found: list[Touched] = []
    for code in dict.fromkeys(code for entry in heard for code in entry.batch.values):
        some = [block for block in read if code in block.values]
        for feature in memory.book.by_code.get(code, ()):
            column, track = memory.book.columns[feature], memory.tracks[feature]
            if feature.of is not None:
                if not few or _concerns(column, some):
                    found += _derived(feature, column, track, _gather_all(code, column, some), plant_now)
            elif few:
                found += _by_loop(feature, column, track, heard)
            else:
                found += _by_columns(feature, column, track, some)
    return found


def _concerns(column: Column, read: Iterable[Block]) -> bool:
    """Tell whether a column has one of the few assets that were heard of."""
    panel = column.panel
    return any(panel.row(asset) != panel.others for block in read for asset in block.assets.tolist())


def _note_few(entries: Iterable[LogEntry], memory: Memory) -> None:
    for entry in entries:
        for asset, at in zip(entry.batch.assets.tolist(), entry.batch.times.tolist(), strict=True):
            memory.sightings.note_one(asset, at)


def woken(feature: Feature, column: Column, track: Track, samples: Samples) -> Iterator[Touched]:
    """Give the series among derived samples that must be stepped."""
    wakes = (samples.values < column.low[samples.rows]) | (samples.values > column.high[samples.rows])
    wakes |= track.awake[samples.rows] > 0
    if not wakes.any():
        return
    flags = np.zeros(len(column.panel) + 1, bool)
    flags[samples.rows[wakes]] = True
    for row, some in _by_row(samples.pick(flags[samples.rows])):
        yield Touched(feature, row, some, [], NEVER)


def gather(code: str, column: Column, read: Iterable[Block], flags: npt.NDArray[np.bool_] | None = None) -> Samples:
    """Return the samples of the column's assets, or of the flagged rows, sorted by row, turn, time and value."""
    parts = []
    for block in read:
        rows, values = block.rows(column.panel), block.values[code]
        wanted = rows < len(column.panel) if flags is None else flags.take(rows)
        places = (wanted & ~np.isnan(values)).nonzero()[0]
        if len(places):
            parts.append((rows[places], block.turns(places), block.times[places], values[places]))
    if not parts:
        return NOTHING
    rows, turns, at, values = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    if len(rows) == 1:
        return Samples(rows, turns, at, values)
    order = np.lexsort((values, at, turns, rows))
    return Samples(rows[order], turns[order], at[order], values[order])


def _gather_all(code: str, column: Column, read: Sequence[Block]) -> Samples:
    """Return all samples of the column's assets; where one block is all, sorted once for all columns of the assets."""
    block = read[0]
    known = block.rowwise(column.panel) if len(read) == 1 else None
    if known is None or known.twice:
        return gather(code, column, read)
    values = block.values[code][known.places]
    samples = Samples(known.rows, known.turns, known.times, values)
    absent = np.isnan(values)
    return samples.pick(~absent) if absent.any() else samples


def in_order(samples: Samples, seen: Ints) -> npt.NDArray[np.bool_]:
    """Flag the samples that are newer than all before them in their row, and than what was ``seen`` of it."""
    heads, known = samples.heads(), seen[samples.rows]
    newer = samples.at > known
    if newer.all() and (heads[1:] | (samples.at[1:] > samples.at[:-1])).all():
        return newer
    # Row by row the newest so far: times as ranks, each row's above those of the rows before it.
    times, ranks = np.unique(samples.at, return_inverse=True)
    floor = (np.cumsum(heads) - 1) * (len(times) + 1)
    base = floor + np.searchsorted(times, known, side="right")
    newest = np.maximum.accumulate(np.maximum(floor + ranks + 1, base))
    before = np.where(heads, base, np.concatenate([newest[:1], newest[:-1]]))
    ordered: npt.NDArray[np.bool_] = floor + ranks + 1 > before
    return ordered


def _by_loop(feature: Feature, column: Column, track: Track, heard: Iterable[LogEntry]) -> Iterator[Touched]:
    told = [one for entry in heard if feature.code in entry.batch.values for one in _told(entry, feature.code, column)]
    low, high, awake = column.low.item, column.high.item, track.awake.item
    touched = {row for row, sample in told if not low(row) <= sample.value <= high(row) or awake(row)}
    seen = track.seen
    for row in touched:
        newest = seen.item(row)
        ordered: list[Sample] = []
        late: list[Sample] = []
        for sample in sorted(sample for place, sample in told if place == row):
            (ordered if sample.at > newest else late).append(sample)
            newest = max(newest, sample.at)
        yield Touched(feature, row, ordered, late, seen.item(row))
    for row, sample in told:
        if sample.at > seen.item(row):
            seen[row] = sample.at


def _told(entry: LogEntry, code: str, column: Column) -> Iterator[tuple[int, Sample]]:
    """Give the values of a parameter that somebody watches, with the rows of their assets."""
    batch, panel = entry.batch, column.panel
    for asset, at, value in zip(batch.assets.tolist(), batch.times.tolist(), batch.values[code].tolist(), strict=True):
        row = panel.row(asset)
        if row != panel.others and not isnan(value):
            yield row, Sample(entry.position, at, value)


def _by_columns(feature: Feature, column: Column, track: Track, read: Sequence[Block]) -> Iterator[Touched]:
    flags = track.awake > 0
    for block in read:
        rows, values = block.rows(column.panel), block.values[feature.code]
        # NaN, which is no reading, is neither below nor above.
        wakes = (values < column.low.take(rows)) | (values > column.high.take(rows))
        if wakes.any():
            flags[rows[wakes]] = True
    flags[-1] = False
    samples = gather(feature.code, column, read, flags) if flags.any() else None
    ordered = in_order(samples, track.seen) if samples is not None else None
    seen = track.seen.copy() if samples is not None else track.seen
    for block in read:
        see_block(block, feature.code, column, track.seen)
    if samples is None or ordered is None:
        return
    late = dict(_by_row(samples.pick(~ordered)))
    new = dict(_by_row(samples.pick(ordered)))
    for row in sorted({*new, *late}):
        yield Touched(feature, row, new.get(row, []), late.get(row, []), int(seen[row]))


def _derived(feature: Feature, column: Column, track: Track, samples: Samples, plant_now: int) -> Iterator[Touched]:
    if not len(samples.rows):
        return
    samples = samples.pick(in_order(samples, track.seen))
    if not len(samples.rows):
        return
    heads = samples.heads()
    rows, lateness = samples.rows[heads], np.maximum(plant_now - samples.at[heads], 0)
    track.lag[rows] = np.maximum(lateness, track.lag[rows] * _REMEMBERED // _OF)
    track.seen[rows] = samples.at[np.append(heads[1:], True)]
    yield from woken(feature, column, track, track.feed(samples))
    track.set_clock()


def _by_row(samples: Samples) -> Iterator[tuple[int, list[Sample]]]:
    starts = np.flatnonzero(samples.heads()) if len(samples.rows) else np.empty(0, np.intp)
    told = [
        Sample(*one) for one in zip(samples.turns.tolist(), samples.at.tolist(), samples.values.tolist(), strict=True)
    ]
    bounds = [*starts.tolist(), len(told)]
    for row, start, end in zip(samples.rows[starts].tolist(), bounds[:-1], bounds[1:], strict=True):
        yield row, told[start:end]
