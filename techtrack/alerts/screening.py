"""Finds among many readings the series that a rule has to look at, sample by sample; all others are only seen.

A series may be passed over if all its rules are asleep and all its values lie where no rule can wake. That is
looked up on columns; for a few readings a plain loop is faster. Features that are derived are fed all readings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import isnan
from typing import NamedTuple

import numpy as np

from techtrack.alerts.domain.blocks import Block, blocks, judged, see_block
from techtrack.alerts.domain.features.base import NEVER, Feature, Samples
from techtrack.alerts.domain.gathering import gather, in_order
from techtrack.alerts.domain.series import Column
from techtrack.alerts.domain.tracks import MOST_WAITING, Track
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
    read = list(blocks(heard)) if not few or memory.book.derived else []
    if few:
        _note_few(entries, memory)
    else:
        for block in (*read, *blocks(entry for entry in entries if not judged(entry))):
            memory.note(block)
    if memory.book.derived and heard:
        memory.waiting.add(heard, read, plant_now)
    found: list[Touched] = []
    for code in dict.fromkeys(code for entry in heard for code in entry.batch.values):
        some = [block for block in read if code in block.values]
        found += _readings(code, some, memory, heard if few else None)
        if code in memory.book.derived:
            found += _by_bounds(code, some, memory, few=few)
    if memory.waiting.readings > MOST_WAITING:
        memory.settle_features()
    return found


def _readings(code: str, some: Sequence[Block], memory: Memory, heard: Iterable[LogEntry] | None) -> Iterable[Touched]:
    """Look at readings as they are; ``heard`` are the same if they are few."""
    feature = next(iter(memory.book.by_code.get(code, ())), None)
    # Looked up only if needed: a feature is hashed with all that it is made of.
    if feature is None or feature.of is not None:
        return ()
    column, track = memory.book.columns[feature], memory.tracks[feature]
    return _by_loop(feature, column, track, heard) if heard else _by_columns(feature, column, track, some)


def _by_bounds(code: str, some: list[Block], memory: Memory, *, few: bool) -> Iterator[Touched]:
    """Feed features that promise nothing, and others what does not lie where they do; the rest waits."""
    bounds, assets = memory.bounds.get(code), memory.book.assets
    inside = bounds is not None and not any(
        bounds.outside(block.rows(assets), block.values[code]).any() for block in some
    )
    quiet = inside and bounds is not None and all(bounds.spans(block.first, block.last) for block in some)
    features = memory.restless[code] if quiet else memory.book.derived[code]
    for feature in features:
        column, track = memory.book.columns[feature], memory.tracks[feature]
        if few and not _concerns(column, some):
            continue
        flags = track.stirred(column, code, some, inside=inside)
        if flags is None or flags.any():
            samples = track.catch_up(code, column, memory.waiting, flags)
            # What waited was quiet when it came.
            yield from woken(feature, column, track, samples.pick(samples.turns >= memory.waiting.newest))
    if features:
        memory.bind(code)


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


def _by_row(samples: Samples) -> Iterator[tuple[int, list[Sample]]]:
    starts = np.flatnonzero(samples.heads()) if len(samples.rows) else np.empty(0, np.intp)
    told = [
        Sample(*one) for one in zip(samples.turns.tolist(), samples.at.tolist(), samples.values.tolist(), strict=True)
    ]
    bounds = [*starts.tolist(), len(told)]
    for row, start, end in zip(samples.rows[starts].tolist(), bounds[:-1], bounds[1:], strict=True):
        yield row, told[start:end]
