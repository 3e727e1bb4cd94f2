"""The newest value of each series: one row per asset, and the log's newest laid over it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from techtrack.telemetry.domain.reading import FOREVER, Floats, Ints, Readings
from techtrack.telemetry.models import Chunk
from techtrack.telemetry.store import chunks
from techtrack.telemetry.store.base import Span
from techtrack.telemetry.store.encoding import Corrupt, pack_latest, unpack_latest
from techtrack.telemetry.store.sql import among, ask
from techtrack.telemetry.store.tail import CORRECTIONS, HOUR, NEVER, Block, View

AT_ONCE = 500
NO_FIRST = FOREVER[1]
# So many hours of an asset are decoded at a time: some days, or all of a year where it speaks once a day.
MOST_HOURS = 128
_LATEST = """
SELECT codes, asset_id, corrected_at, first_at, payload FROM telemetry_latest WHERE asset_id {} ORDER BY codes
"""
_log = logging.getLogger(__name__)
Values = dict[str, tuple[int, float]]


@dataclass(slots=True)
class Newest:
    """By parameter the newest time (``NEVER``: none) and value of each of ``assets``, which ascend.

    ``first_at`` is the time of the oldest reading, or an earlier one; ``NO_FIRST`` where there is none.
    """

    assets: Ints
    corrected_at: Ints
    first_at: Ints
    columns: dict[str, tuple[Ints, Floats]]
    # Assets of which a correction, or what it keeps away, may hide the newest: they are looked at one by one.
    doubtful: set[int]
    # Those whose row cannot be read.
    unreadable: set[int] = field(default_factory=set)

    def column(self, code: str) -> tuple[Ints, Floats]:
        """Give a parameter's times and values, to write to."""
        if code not in self.columns:
            self.columns[code] = (np.full(len(self.assets), NEVER), np.full(len(self.assets), np.nan))
        return self.columns[code]

    def span(self) -> Span | None:
        """Give a span that holds all readings of the assets, None where there are none."""
        lasts = [int(times.max()) for times, _ in self.columns.values() if len(times)]
        first, last = int(self.first_at.min(initial=NO_FIRST)), max(lasts, default=NEVER)
        return (first, last + 1) if first != NO_FIRST and last != NEVER else None

    def codes(self, view: View, asset: int) -> set[str]:
        """Give every parameter that an asset may have; one that it has not would be looked for in all its hours."""
        place, known = int(np.searchsorted(self.assets, asset)), asset not in self.unreadable
        own = {code for code, (times, _) in self.columns.items() if times[place] != NEVER or not known}
        return own.union(*(special.batch.values for special in view.specials.get(asset, ())))

    def lay_over(self, block: Block) -> None:
        """Let a later stretch of the log win where it is not older."""
        newest = block.newest
        places = np.searchsorted(newest.assets, self.assets)
        places[places == len(newest.assets)] = 0
        mine = np.flatnonzero(newest.assets[places] == self.assets) if len(newest.assets) else np.empty(0, np.int64)
        theirs = places[mine]
        self.first_at[mine] = np.minimum(self.first_at[mine], newest.oldest[theirs])
        self.doubtful.update(self.assets[mine[newest.oldest[theirs] <= self.corrected_at[mine]]].tolist())
        for code, (their_times, their_values) in newest.values.items():
            times, values = self.column(code)
            newer = their_times[theirs] >= np.maximum(times[mine], NEVER + 1)
            times[mine[newer]] = their_times[theirs[newer]]
            values[mine[newer]] = their_values[theirs[newer]]

    def put(self, asset: int, values: Values) -> None:
        """Set what there is of one asset."""
        place = int(np.searchsorted(self.assets, asset))
        for code in [*self.columns, *values]:
            times, numbers = self.column(code)
            times[place], numbers[place] = values.get(code, (NEVER, np.nan))

    def clear(self, asset: int) -> None:
        """Say that there is nothing of one asset."""
        self.put(asset, {})
        self.first_at[np.searchsorted(self.assets, asset)] = NO_FIRST
        self.doubtful.discard(asset)

    def of_each(self) -> dict[int, Values]:
        """Give it by asset; assets without any value are absent."""
        found: dict[int, Values] = {asset: {} for asset in self.assets.tolist()}
        ids = self.assets.tolist()
        for code, (times, values) in self.columns.items():
            for asset, time, value in zip(ids, times.tolist(), values.tolist(), strict=True):
                if time != NEVER:
                    found[asset][code] = (time, value)
        return {asset: values for asset, values in found.items() if values}


def stored(assets: Iterable[int]) -> Newest:
    """Read the rows of assets."""
    ids = np.unique(np.fromiter(assets, np.int64))
    newest = Newest(ids, np.full(len(ids), NEVER), np.full(len(ids), NO_FIRST), {}, set())
    for part in chunks.parts(ids.tolist()):
        condition, params = among(part)
        found = ask(_LATEST.format(condition), *params)
        for codes, group in groupby(found, key=lambda row: row[0]):
            _take(newest, codes.split(), list(group))
    return newest


def overlaid(view: View, assets: Sequence[int]) -> Newest:
    """Read the rows of assets and lay the log over them."""
    newest = stored(assets)
    for block in view.blocks:
        newest.lay_over(block)
    for asset in view.forgotten & set(newest.assets.tolist()) if view.forgotten else ():
        newest.clear(asset)
    for asset in view.specials.keys() & set(view.alive(newest.assets.tolist())) if view.specials else ():
        newest.doubtful.add(asset)
        place = int(np.searchsorted(newest.assets, asset))
        oldest = min(int(special.batch.times.min()) for special in view.specials[asset])
        newest.first_at[place] = min(int(newest.first_at[place]), oldest)
    return newest


def _take(newest: Newest, codes: list[str], rows: Sequence[Any]) -> None:
    places = np.searchsorted(newest.assets, np.fromiter((row[1] for row in rows), np.int64, len(rows)))
    newest.corrected_at[places] = [NEVER if row[2] is None else row[2] for row in rows]
    newest.first_at[places] = [row[3] for row in rows]
    try:
        times, values = unpack_latest([bytes(row[4]) for row in rows], len(codes))
    except Corrupt as error:
        # The readings themselves tell what this row cannot.
        bad = error.index or 0
        _log.exception("the latest values of asset %s are damaged", rows[bad][1])
        newest.doubtful.add(rows[bad][1])
        newest.unreadable.add(rows[bad][1])
        for code in codes:
            newest.column(code)
        _take(newest, codes, [*rows[:bad], *rows[bad + 1 :]])
        return
    for index, code in enumerate(codes):
        their_times, their_values = newest.column(code)
        their_times[places], their_values[places] = times[:, index], values[:, index]


def extent(view: View, assets: Sequence[int]) -> Span | None:
    """Answer ``Store.extent`` in the snapshot in which ``view`` was taken."""
    newest = overlaid(view, assets)
    found = newest.span()
    lasts = [found[1] - 1] if found else []
    for asset in newest.doubtful:
        lasts += [int(special.batch.times.max()) for special in view.specials.get(asset, ())]
        lasts += Chunk.objects.filter(asset_id=asset).order_by("-hour").values_list("last_at", flat=True)[:1]
    first = int(newest.first_at.min(initial=NO_FIRST))
    return (first, max(lasts) + 1) if lasts and first != NO_FIRST else None


def looked_up(view: View, asset: int, codes: Iterable[str], bounds: Span | None) -> Values:
    """Find the newest values among the readings themselves, from the newest hours in ``bounds`` back."""
    missing, found = set(codes), Values()
    start, hours = (bounds[1] if bounds else 0), 2
    while bounds and missing and start > bounds[0]:
        end, start = start, max(_back(asset, start, hours), bounds[0])
        readings = chunks.readings(view, [asset], (start, end)).get(asset, Readings())
        for code in missing & readings.columns.keys():
            times, values = readings.series(code)
            if len(times):
                found[code] = (int(times[-1]), float(values[-1]))
        missing -= found.keys()
        hours = min(2 * hours, MOST_HOURS)
    return found


def _back(asset: int, end: int, hours: int) -> int:
    """Return the time from which on an asset has so many chunks before ``end``; ``NEVER`` where it has fewer."""
    rows = Chunk.objects.filter(asset_id=asset, hour__lte=chunks.hours_of((end - 1, end))[1]).order_by("-hour")
    return next(iter(rows.values_list("hour", flat=True)[hours - 1 : hours]), NEVER // HOUR) * HOUR


class Row(NamedTuple):
    """The columns of ``Latest``, in their order."""

    asset: int
    through: int
    first_at: int
    corrected_at: int | None
    codes: str
    payload: bytes


def folded(view: View) -> Iterator[list[Row]]:
    """Give, some assets at a time, the rows as they will be; the chunks hold already all that ``view`` tells."""
    behind = View(view.position, view.position)
    for ids in chunks.parts(view.assets().tolist(), AT_ONCE):
        newest = overlaid(view, ids)
        found = newest.of_each()
        for asset in newest.doubtful:
            found[asset] = looked_up(behind, asset, newest.codes(view, asset), extent(view, [asset]))
        rows = (
            _row(asset, view, first, corrected_at, found.get(asset, {}))
            for asset, first, corrected_at in zip(
                ids, newest.first_at.tolist(), newest.corrected_at.tolist(), strict=True
            )
        )
        # One of which every reading was removed keeps a row: what was newest goes, what was corrected stays known.
        yield [row for row in rows if row.codes or row.corrected_at is not None]


def _row(asset: int, view: View, first: int, corrected_at: int, values: Values) -> Row:
    specials = view.specials.get(asset, ())
    times = [int(special.batch.times.max()) for special in specials if special.kind in CORRECTIONS]
    last = max([corrected_at, *times])
    codes = sorted(values)
    packed = pack_latest(
        np.array([values[code][0] for code in codes], np.int64), np.array([values[code][1] for code in codes])
    )
    return Row(asset, view.position, first, None if last == NEVER else last, " ".join(codes), packed)
