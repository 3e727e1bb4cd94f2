"""The log behind the watermark, decoded: what no chunk holds yet, as each process remembers it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from techtrack.telemetry.domain.reading import FOREVER, Batch, Floats, Ints, Kind, Readings, fold
from techtrack.telemetry.store import columns as columns_of
from techtrack.telemetry.store import segments
from techtrack.telemetry.store.base import LogEntry, Span
from techtrack.telemetry.store.columns import Column, Sparse

PAGE = 1000
HOUR = 3_600_000_000
NEVER = FOREVER[0]
CORRECTIONS = {Kind.REPLACE, Kind.PATCH, Kind.REMOVE}
# An entry of marks tells the first and the last µs of each.
MARK_ROWS = 2


class Special(NamedTuple):
    """An entry of the log that is not a device's: a correction, a mark."""

    position: int
    kind: Kind
    batch: Batch


@dataclass(frozen=True)
class Block:
    """Device readings of a stretch of the log, sorted by asset and there in the order of writing."""

    assets: Ints
    times: Ints
    positions: Ints
    columns: dict[str, Column]

    @classmethod
    def of(cls, entries: Iterable[LogEntry]) -> Block:
        """Gather entries, in order."""
        entries = [entry for entry in entries if len(entry.batch)]
        batches = [entry.batch for entry in entries]
        positions = [np.full(len(entry.batch), entry.position) for entry in entries]
        ends = np.cumsum([len(batch) for batch in batches]).tolist()
        found: dict[str, list[tuple[int, Floats]]] = {}
        # Each batch has its own columns: of a thousand parameters a few.
        for batch, end in zip(batches, ends, strict=True):
            for code, column in batch.values.items():
                found.setdefault(code, []).append((end - len(batch), column))
        columns = {code: _gathered(parts, ends[-1]) for code, parts in found.items()}
        block = cls(
            np.concatenate([np.empty(0, np.int64), *(batch.assets for batch in batches)]),
            np.concatenate([np.empty(0, np.int64), *(batch.times for batch in batches)]),
            np.concatenate([np.empty(0, np.int64), *positions]),
            columns,
        )
        return block.sorted()

    def __len__(self) -> int:
        return len(self.times)

    def sorted(self) -> Block:
        """Put the rows of an asset together; they keep their order."""
        if not (np.diff(self.assets) < 0).any():
            return self
        return self.take(np.argsort(self.assets, kind="stable"))

    def take(self, index: np.ndarray | slice) -> Block:
        """Give the rows at ``index``."""
        columns = columns_of.taken(self.columns, index, len(self))
        return Block(self.assets[index], self.times[index], self.positions[index], columns)

    def whole(self) -> dict[str, Floats]:
        """Give the columns with NaN where there is no value."""
        return {code: columns_of.whole(column) for code, column in self.columns.items()}

    def joined(self, other: Block) -> Block:
        """Put a later stretch of the log behind this one."""
        codes = dict.fromkeys([*self.columns, *other.columns])
        columns = {
            code: columns_of.joined([(self.columns.get(code), len(self)), (other.columns.get(code), len(other))])
            for code in codes
        }
        block = Block(
            np.concatenate([self.assets, other.assets]),
            np.concatenate([self.times, other.times]),
            np.concatenate([self.positions, other.positions]),
            columns,
        )
        return block.sorted()

    def of_asset(self, asset: int, span: Span) -> Block:
        """Give the rows of one asset in a span of time."""
        first, last = np.searchsorted(self.assets, [asset, asset + 1])
        rows = self.take(slice(first, last))
        there = (rows.times >= span[0]) & (rows.times < span[1])
        return rows if there.all() else rows.take(there)

    @cached_property
    def newest(self) -> Newest:
        """The newest value of each parameter of each asset."""
        return Newest.of(self)

    def behind(self, position: int) -> Block:
        """Give the rows behind a position."""
        later = self.positions > position
        return self if later.all() else self.take(later)


@dataclass(frozen=True, slots=True)
class Newest:
    """By parameter the newest value of each of ``assets``: its time, ``NEVER`` where there is none."""

    assets: Ints
    oldest: Ints
    values: Mapping[str, tuple[Ints, Floats]]

    @classmethod
    def of(cls, block: Block) -> Newest:
        """Look through a block."""
        assets, starts = np.unique(block.assets, return_index=True)
        if not len(assets):
            return cls(assets, assets, {})
        if not in_order(block.assets, block.times):
            order = np.lexsort((block.times, block.assets))
            block = block.take(order)
        ends = np.append(starts[1:], len(block)) - 1
        values = {code: _last(block, column, starts, ends) for code, column in block.columns.items()}
        return cls(assets, block.times[starts], values)


EMPTY = Block.of([])


def _specials(entry: LogEntry, part: Batch) -> list[Special]:
    """Take what an entry says of an asset apart: of marks, two rows each, every one is special by itself."""
    size = MARK_ROWS if entry.kind is Kind.QUALITY else len(part)
    pieces = [part] if len(part) == size else [part.take(slice(at, at + size)) for at in range(0, len(part), size)]
    return [Special(entry.position, entry.kind, piece) for piece in pieces]


def in_order(assets: Ints, times: Ints) -> bool:
    """Tell whether times ascend within each asset; equal ones may follow each other."""
    return bool(((np.diff(times) >= 0) | (np.diff(assets) != 0)).all())


def _last(block: Block, column: Column, starts: np.ndarray, ends: np.ndarray) -> tuple[Ints, Floats]:
    if not isinstance(column, Sparse) and not np.isnan(column[ends]).any():
        return block.times[ends], column[ends]
    rows, values = columns_of.present(column)
    times, newest = np.full(len(starts), NEVER), np.full(len(starts), np.nan)
    groups = np.searchsorted(starts, rows, "right") - 1
    # numpy assigns in order, so that of several rows of an asset the last one stays.
    times[groups], newest[groups] = block.times[rows], values
    return times, newest


def _gathered(parts: Sequence[tuple[int, Floats]], size: int) -> Column:
    if sum(len(column) for _, column in parts) * columns_of.THIN < size:
        there = [np.flatnonzero(~np.isnan(column)) for _, column in parts]
        rows = np.concatenate([index + start for index, (start, _) in zip(there, parts, strict=True)])
        values = np.concatenate([column[index] for index, (_, column) in zip(there, parts, strict=True)])
        return columns_of.column_of(rows, values, size)
    whole = np.full(size, np.nan)
    for start, column in parts:
        whole[start : start + len(column)] = column
    return whole


@dataclass(frozen=True, slots=True)
class View:
    """The log in (floor, position]: blocks in its order, and by asset what is not a device's."""

    floor: int = 0
    position: int = 0
    last: tuple[object, ...] = ()  # what tells the last segment from others
    blocks: tuple[Block, ...] = ()
    specials: Mapping[int, tuple[Special, ...]] = field(default_factory=dict)
    damaged: tuple[int, ...] = ()  # positions of segments that cannot be read
    marked: bool = True  # whether anybody has marked anything
    set_aside: bool = True  # whether hours of anything were set aside as damaged
    forgotten: frozenset[int] = frozenset()  # assets that were deleted, the last of them at ``forgotten_at``
    forgotten_at: int = 0

    def advanced(self, rows: Iterable[segments.Row]) -> View:
        """Add later segments."""
        rows = list(rows)
        if not rows:
            return self
        entries = [segments.entry(row) for row in rows]
        blocks = [*self.blocks, Block.of(entry for entry in entries if entry.kind is Kind.READINGS)]
        # Merged like the levels of a log-structured tree: few blocks, and each row is moved a few times only.
        while len(blocks) > 1 and 2 * len(blocks[-1]) >= len(blocks[-2]):
            blocks[-2:] = [blocks[-2].joined(blocks[-1])]
        specials = dict(self.specials)
        for entry in entries:
            if entry.kind not in {Kind.READINGS, Kind.FORGET}:
                for asset, part in entry.batch.by_asset():
                    specials[asset] = (*specials.get(asset, ()), *_specials(entry, part))
        return replace(
            self,
            position=rows[-1].position,
            last=rows[-1].identity,
            blocks=tuple(block for block in blocks if len(block)),
            specials=specials,
            damaged=(*self.damaged, *(entry.position for entry in entries if not len(entry.batch))),
        )

    def above(self, floor: int) -> View:
        """Leave out what a higher watermark has folded."""
        blocks = tuple(block.behind(floor) for block in self.blocks)
        specials = {
            asset: kept
            for asset, found in self.specials.items()
            if (kept := tuple(special for special in found if special.position > floor))
        }
        return replace(self, floor=floor, blocks=tuple(b for b in blocks if len(b)), specials=specials)

    def without(self, assets: Collection[int]) -> View:
        """Leave out some assets."""
        ids = np.fromiter(assets, np.int64, len(assets))
        blocks = tuple(block.take(~np.isin(block.assets, ids)) for block in self.blocks)
        specials = {asset: found for asset, found in self.specials.items() if asset not in assets}
        return replace(self, blocks=tuple(block for block in blocks if len(block)), specials=specials)

    def alive(self, assets: Iterable[int]) -> list[int]:
        """Give, ascending, those of some assets that were not deleted."""
        return sorted(set(assets) - self.forgotten)

    def of(self, asset: int, span: Span) -> Overlay:
        """Give what is behind the watermark for one asset in a span of time."""
        parts = [part for block in self.blocks if len(part := block.of_asset(asset, span))]
        specials = tuple(special for special in self.specials.get(asset, ()) if _reaches(special, span))
        return Overlay(parts, specials)

    def assets(self) -> Ints:
        """Give the ids of all assets that it tells of."""
        ids = [np.unique(block.assets) for block in self.blocks]
        return np.unique(np.concatenate([np.array(list(self.specials), np.int64), *ids]))


@dataclass(frozen=True, slots=True)
class Overlay:
    """What lies behind the watermark for one asset, to be laid over its chunks."""

    parts: list[Block]
    specials: tuple[Special, ...]

    def __bool__(self) -> bool:
        return bool(self.parts or self.specials)

    def behind(self, position: int) -> Overlay:
        """Leave out what is not behind a position."""
        parts = [part for block in self.parts if len(part := block.behind(position))]
        return Overlay(parts, tuple(special for special in self.specials if special.position > position))

    def within(self, span: Span) -> Overlay:
        """Leave out what is not in a span of time."""
        return self._where(lambda times: (times >= span[0]) & (times < span[1]))

    def outside(self, hours: Ints) -> Overlay:
        """Leave out what is in some hours (since 1970)."""
        return self._where(lambda times: ~np.isin(times // HOUR, hours)) if len(hours) else self

    def hours(self) -> Ints:
        """Give the hours in which it changes readings, ascending."""
        times = [part.times for part in self.parts]
        times += [special.batch.times for special in self.specials if special.kind in CORRECTIONS]
        return np.unique(np.concatenate([np.empty(0, np.int64), *times]) // HOUR)

    def marked(self) -> list[Span]:
        """Give the spans of time in which the worth of values was changed."""
        times = [special.batch.times for special in self.specials if special.kind is Kind.QUALITY]
        return [(int(pair[0]), int(pair[-1]) + 1) for pair in times]

    def laid_over(self, known: Readings) -> Readings:
        """Fold it into what is known, in the order of the log."""
        rows, done = _rows(self.parts), 0
        for special in self.specials:
            if special.kind in CORRECTIONS:
                end = int(np.searchsorted(rows.positions, special.position))
                known = fold(_folded(known, rows, done, end), special.batch, special.kind)
                done = end
        return _folded(known, rows, done, len(rows))

    def _where(self, there: Callable[[Ints], np.ndarray]) -> Overlay:
        parts = [part.take(there(part.times)) for part in self.parts]
        specials = tuple(
            special for special in self.specials if special.kind not in CORRECTIONS or there(special.batch.times).all()
        )
        return Overlay([part for part in parts if len(part)], specials)


def _rows(parts: list[Block]) -> Block:
    rows = EMPTY
    for part in parts:
        rows = part if rows is EMPTY else rows.joined(part)
    return rows


def _folded(known: Readings, rows: Block, start: int, end: int) -> Readings:
    if start == end:
        return known
    part = rows.take(slice(start, end))
    return fold(known, Batch(part.assets, part.times, part.whole()), Kind.READINGS)


def _reaches(special: Special, span: Span) -> bool:
    times = special.batch.times
    return int(times.max()) >= span[0] and int(times.min()) < span[1]


class Tail:
    """What one process remembers of the log, brought up to date by whoever reads."""

    def __init__(self) -> None:
        self._view = View()
        self.lock = threading.RLock()

    def view(self, *, keep: bool) -> View:
        """Return the log behind the watermark as of now; call it first in a snapshot, holding ``lock``.

        With ``keep`` it is remembered: then the snapshot shows what is committed, and nothing else. The lock is held
        from the beginning of the snapshot on, so that views only ever move forward.
        """
        known = self._view.position
        look = segments.look(known, limit=PAGE)
        same = look.forgotten == self._view.forgotten_at
        view = replace(
            self._continued(look),
            marked=look.marked,
            set_aside=look.set_aside,
            forgotten=self._view.forgotten if same else segments.forgotten(),
            forgotten_at=look.forgotten,
        )
        rows = [row for row in look.rows if row.position > known]
        if view.position != known:
            rows = segments.fetch(after=view.position, limit=PAGE)
        while rows:
            view = view.advanced(rows)
            rows = segments.fetch(after=view.position, limit=PAGE) if len(rows) >= PAGE - 1 else []
        if keep:
            self._view = view
        return view

    def _continued(self, look: segments.Look) -> View:
        view, floor = self._view, look.watermark
        there = bool(look.rows) and look.rows[0].identity == view.last
        if not view.floor <= floor < view.position or not there:
            # All of it is folded; or the database was restored or emptied under us.
            return View(floor, floor)
        return view if view.floor == floor else view.above(floor)
