"""Statistics between any edges: from days and hours rolled up, from raw readings where an edge or the log cuts in."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, compress, groupby, zip_longest
from operator import itemgetter
from typing import Any

import numpy as np

from techtrack.telemetry.domain.directions import resolved, whole, with_parts
from techtrack.telemetry.domain.reading import Floats, Ints, Readings
from techtrack.telemetry.domain.statistics import STATISTICS, Statistics, between, merged
from techtrack.telemetry.store import chunks
from techtrack.telemetry.store.base import Series, Span
from techtrack.telemetry.store.encoding import Corrupt, unpack_days, unpack_hours
from techtrack.telemetry.store.spans import NONE, Spans
from techtrack.telemetry.store.sql import among, ask
from techtrack.telemetry.store.tail import HOUR, Overlay, View

SHORTEST_DAY = 23 * HOUR
# Stretches up to which each is read by its bounds; more of them are read by a list of hours.
FEW_STRETCHES = 4
_DAYS = """
SELECT asset_id, codes, start_at, end_at, payload FROM telemetry_dayrollup
WHERE asset_id {} AND start_at >= %s AND end_at <= %s ORDER BY asset_id, start_at
"""
_HOURS = """
SELECT asset_id, codes, hour, payload FROM telemetry_rollup WHERE asset_id {} AND hour >= %s AND hour <= %s
"""
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Sought:
    """One asset: which of its hours must be read raw, and what is found of it, by parameter."""

    overlay: Overlay
    codes: frozenset[str]  # what is asked for, all where empty
    raw: bool  # all of it
    gaps: list[Span]  # what no day covers
    changed: Spans  # hours that the log changes, or whose rollup cannot be read
    cut: set[int]  # hours in which an edge lies, or a day begins or ends beside a gap
    spare: dict[int, tuple[str, bytes]] = field(default_factory=dict)  # rollups of hours that are cut
    found: dict[str, list[Statistics]] = field(default_factory=lambda: defaultdict(list))
    whole: dict[str, Statistics] = field(default_factory=dict)  # where all was read raw at once: the answer

    def wanted(self, codes: Iterable[str]) -> dict[str, int]:
        """Give those of ``codes`` that are asked for, and where they stand."""
        return {code: index for index, code in enumerate(codes) if not self.codes or code in self.codes}

    def add(self, codes: Iterable[str], statistics: Statistics) -> None:
        """Add statistics [stretch, code]."""
        for index, code in enumerate(codes):
            self.found[code].append(statistics[:, index])

    def raw_spans(self) -> tuple[Span, ...]:
        """Give the stretches to read raw."""
        if self.raw:
            return tuple(self.gaps)
        if not len(self.changed) and not self.cut:
            return ()
        wanted = self.changed | Spans.of_hours(np.array(sorted(self.cut), np.int64))
        return tuple(wanted.within(Spans.of(self.gaps)).each())

    def between(self, code: str, edges: Ints) -> Statistics:
        """Merge what is found of a parameter."""
        if code in self.whole and code not in self.found:
            return self.whole[code]
        parts = self.found[code]
        pieces = np.concatenate(parts) if len(parts) > 1 else parts[0]
        pieces = pieces[pieces["count"] > 0]
        if len(parts) > 1:
            pieces = pieces[np.argsort(pieces["first_at"], kind="stable")]
        found = np.zeros(len(edges) - 1, STATISTICS)
        places = np.searchsorted(edges, pieces["first_at"], "right") - 1
        starts = np.flatnonzero(np.diff(places, prepend=-1))
        found[places[starts]] = pieces if len(starts) == len(pieces) else merged(pieces, starts)
        return found


def statistics(
    view: View, assets: Sequence[int], codes: Sequence[str], edges: Ints, *, by_days: bool = True
) -> dict[Series, Statistics]:
    """Answer ``Store.statistics`` in the snapshot in which ``view`` was taken; from hours alone without ``by_days``.

    Where all parameters are meant, the parts of directions are among them.
    """
    span = (int(edges[0]), int(edges[-1]))
    sought = {asset: _sought(view.of(asset, span), edges, frozenset(codes)) for asset in assets}
    if by_days and np.diff(edges).max() >= SHORTEST_DAY:
        _take_days(sought, edges)
    _take_hours(sought)
    _take_raw(sought, view, edges)
    return {
        (asset, code): statistics
        for asset, one in sought.items()
        for code in sorted(one.found.keys() | one.whole.keys())
        if (statistics := one.between(code, edges))["count"].any()
    }


def _sought(overlay: Overlay, edges: Ints, codes: frozenset[str]) -> _Sought:
    span = (int(edges[0]), int(edges[-1]))
    changed = NONE
    if overlay:
        marked = (chunks.hours_of((max(start, span[0]), min(end, span[1]))) for start, end in overlay.marked())
        changed = Spans.of_hours(overlay.hours()) | Spans.of(
            (first * HOUR, (last + 1) * HOUR) for first, last in marked
        )
    hours = edges[edges % HOUR != 0] // HOUR
    # Without repetitions, and without numpy's unique: that hashes, where these ascend.
    cut = set(hours[np.diff(hours, prepend=hours[:1] - 1) != 0].tolist())
    first, last = chunks.hours_of(span)
    raw = 2 * len(cut) > last - first + 1
    return _Sought(overlay, codes, raw, [span], changed, cut)


def _take_days(sought: Mapping[int, _Sought], edges: Ints) -> None:
    ids = [asset for asset, one in sought.items() if not one.raw]
    for part in chunks.parts(ids):
        condition, params = among(part)
        found = ask(_DAYS.format(condition), *params, int(edges[0]), int(edges[-1]))
        for asset, group in groupby(found, key=itemgetter(0)):
            _take_days_of(sought[asset], list(group), edges)


def _take_days_of(one: _Sought, rows: list[Any], edges: Ints) -> None:
    starts, ends = (np.fromiter(map(itemgetter(index), rows), np.int64, len(rows)) for index in (2, 3))
    usable = np.searchsorted(edges, starts, "right") == np.searchsorted(edges, ends, "left")
    usable &= ~one.changed.touch(starts, ends)
    # Days of a zone that the site has left may lie across others: of two that overlap the first one counts.
    usable[1:] &= starts[1:] >= np.maximum.accumulate(np.where(usable, ends, starts))[:-1]
    days = []
    for codes, group in groupby(compress(rows, usable.tolist()), itemgetter(1)):
        days += _add_days(one, codes.split(), list(group))
    one.gaps = _gaps(list(map(itemgetter(2, 3), days)), one.gaps[0])
    ends_of_gaps = np.array(one.gaps, np.int64).reshape(-1)
    one.cut |= set((ends_of_gaps[ends_of_gaps % HOUR != 0] // HOUR).tolist())


def _add_days(one: _Sought, names: Sequence[str], rows: list[Any]) -> list[Any]:
    only = one.wanted(names)
    return _unpacked(one, only, rows, lambda some: unpack_days(_payloads(some), len(names))[:, [*only.values()]])


def _payloads(rows: Iterable[Any]) -> list[bytes]:
    return list(map(bytes, map(itemgetter(-1), rows)))


def _unpacked(
    one: _Sought, names: Iterable[str], rows: list[Any], unpack: Callable[[list[Any]], Statistics]
) -> list[Any]:
    """Add what rows tell of the parameters; returns those that could be read."""
    while rows:
        try:
            one.add(names, unpack(rows))
        except Corrupt as error:
            _log.exception("a rollup is damaged: asset %s, %s", rows[error.index or 0][0], rows[error.index or 0][2])
            del rows[error.index or 0]
        else:
            break
    return rows


def _gaps(days: list[Span], span: Span) -> list[Span]:
    bounds = np.array([span[0], *chain.from_iterable(days), span[1]], np.int64).reshape(-1, 2)
    return [(start, end) for start, end in bounds[bounds[:, 0] < bounds[:, 1]].tolist()]


def _take_hours(sought: Mapping[int, _Sought]) -> None:
    wanted: dict[tuple[Span, ...], list[int]] = defaultdict(list)
    for asset, one in sought.items():
        # Before the first whole day and behind the last one: asked for at once.
        for gaps in zip_longest(*[iter(one.gaps if not one.raw else ())] * 2):
            wanted[tuple(filter(None, gaps))].append(asset)
    for spans, assets in wanted.items():
        for part in chunks.parts(assets):
            _take_hours_of(sought, part, spans)


def _take_hours_of(sought: Mapping[int, _Sought], assets: list[int], spans: Sequence[Span]) -> None:
    condition, ids = among(assets)
    statement = " UNION ALL ".join([_HOURS.format(condition)] * len(spans))
    params = chain.from_iterable((*ids, *chunks.hours_of(span)) for span in spans)
    found = ask(f"{statement} ORDER BY asset_id, hour", *params)
    for (asset, codes), group in groupby(found, key=itemgetter(0, 1)):
        one, whole = sought[asset], list(group)
        if one.cut:
            one.spare |= {row[2]: (codes, bytes(row[3])) for row in whole if row[2] in one.cut}
            whole = [row for row in whole if row[2] not in one.cut]
        if len(one.changed):
            changed = one.changed.touch_hours(_hours(whole)).tolist()
            whole = [row for row, gone in zip(whole, changed, strict=True) if not gone]
        if whole and codes:
            _add_hours(one, codes.split(), whole)


def _add_hours(one: _Sought, names: Sequence[str], rows: list[Any]) -> None:
    only = one.wanted(names)

    def unpack(some: list[Any]) -> Statistics:
        return unpack_hours(_payloads(some), _hours(some), len(names), only=[*only.values()])

    kept = _unpacked(one, only, list(rows), unpack)
    if len(kept) < len(rows):
        # What a rollup cannot tell any more its readings do.
        lost = {row[2] for row in rows} - {row[2] for row in kept}
        one.changed |= Spans.of_hours(np.array(sorted(lost), np.int64))


def _hours(rows: Sequence[Any]) -> Ints:
    return np.fromiter(map(itemgetter(2), rows), np.int64, len(rows))


def _take_raw(sought: Mapping[int, _Sought], view: View, edges: Ints) -> None:
    wanted: dict[tuple[Span, ...], list[int]] = defaultdict(list)
    for asset, one in sought.items():
        if spans := one.raw_spans():
            wanted[spans].append(asset)
    marks = chunks.marks_of(sought, (int(edges[0]), int(edges[-1]))) if wanted and view.marked else {}
    for spans, assets in wanted.items():
        found = _loaded(assets, spans, sorted({*map(whole, sought[assets[0]].codes)}))
        stored = {asset: list(group) for asset, group in groupby(found, lambda chunk: chunk.asset)}
        for asset in assets:
            one, there = sought[asset], stored.get(asset, [])
            readings = chunks.composed(there, one.overlay, view).between(int(edges[0]), int(edges[-1]))
            _add_raw(one, Readings(readings.times, readings.columns, marks=marks.get(asset, ())), edges, spans)
            _add_spare(one, {chunk.hour for chunk in there if not chunk.damaged}, spans)


def _loaded(assets: Sequence[int], spans: Sequence[Span], codes: Sequence[str]) -> Iterator[chunks.Stored]:
    if len(spans) == 1:
        return chunks.load(assets, span=spans[0], codes=codes)
    if len(spans) <= FEW_STRETCHES:
        by_hour = {(one.asset, one.hour): one for span in spans for one in chunks.load(assets, span=span)}
        return (by_hour[key] for key in sorted(by_hour))
    hours = {hour for start, end in spans for hour in range(start // HOUR, (end - 1) // HOUR + 1)}
    return chunks.load_hours(assets, sorted(hours))


def _add_raw(one: _Sought, readings: Readings, edges: Ints, spans: Sequence[Span]) -> None:
    if one.raw and spans == ((edges[0], edges[-1]),):
        one.whole = {code: between(*_series(readings, code), edges) for code in _told(one, readings)}
        return
    bounds = np.array(spans, np.int64).reshape(-1)
    # What is found of a stretch must not reach over an hour that is taken whole.
    cuts = np.unique(np.concatenate([edges, bounds]))
    for code in _told(one, readings):
        times, values = _series(readings, code)
        within = _within(times, spans)
        found = between(times[within], values[within], cuts)
        one.found[code].append(found[found["count"] > 0])


def _told(one: _Sought, readings: Readings) -> Iterable[str]:
    return one.wanted(with_parts(readings.columns))


def _series(readings: Readings, code: str) -> tuple[Ints, Floats]:
    times, values = readings.usable(whole(code))
    return times, resolved(values, code)


def _add_spare(one: _Sought, hours: set[int], spans: Sequence[Span]) -> None:
    """Count an hour that an edge cuts, and of which only the rollup is left, where its first value lies."""
    changed = one.changed.touch_hours(np.fromiter(one.spare, np.int64, len(one.spare)))
    for (hour, (codes, payload)), gone in zip(one.spare.items(), changed.tolist(), strict=True):
        if hour in hours or gone or not codes:
            continue
        try:
            found = unpack_hours([payload], np.array([hour]), len(codes.split()))
        except Corrupt:
            _log.exception("the rollup of hour %s is damaged, and its readings are gone", hour)
            continue
        for code, index in one.wanted(codes.split()).items():
            one.found[code].append(found[_within(found[:, index]["first_at"], spans), index])


def _within(times: Ints, spans: Sequence[Span]) -> np.ndarray:
    first, last = (np.array([span[index] for span in spans], np.int64) for index in (0, 1))
    places = np.searchsorted(first, times, "right") - 1
    return (places >= 0) & (times < last[np.maximum(places, 0)])
