"""Folds the log into chunks, rollups and newest values, in small transactions that a second compactor cannot double."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Min, QuerySet, Sum
from prometheus_client import Counter

from techtrack.core.errors import Conflict
from techtrack.core.jobs import rest
from techtrack.telemetry.domain.reading import Kind, Origin
from techtrack.telemetry.domain.statistics import Statistics
from techtrack.telemetry.models import (
    Chunk,
    Correction,
    Damage,
    DayRollup,
    Forgotten,
    Latest,
    LogConsumer,
    QualityMark,
    Rollup,
    Segment,
    Upkeep,
)
from techtrack.telemetry.store import latest, segments, upkeep
from techtrack.telemetry.store.encoding import encode_chunks, pack_hours
from techtrack.telemetry.store.folding import Fold, Group
from techtrack.telemetry.store.segments import LANE, STORE
from techtrack.telemetry.store.sql import execute
from techtrack.telemetry.store.tail import HOUR, View

# An hour that has closed is left open for what comes late.
LATE = timedelta(minutes=2)
# Hours a transaction: on SQLite it holds the write lock for some milliseconds, elsewhere it keeps nobody waiting.
GROUPS = {"sqlite": 64, "postgresql": 256}
# Between two of them it rests three times as long as the last took, at most so many s: who asks meanwhile shares the
# interpreter with it.
REST, LONGEST_REST = 3.0, 1.0
FORGOTTEN = 500
PAGE = 1000
SWEPT_SEGMENTS, SWEPT_READINGS = 2000, 50_000
RESENT = Counter("techtrack_readings_resent_total", "Readings that told nothing new, counted when they are folded")
TOO_LATE = Counter("techtrack_readings_too_late_total", "Readings for hours of which only the rollup is left")


class Overtaken(Conflict):
    """Another compactor has folded the same stretch of the log."""


def compact(now: datetime, *, force: bool = False) -> int | None:
    """Fold the log behind the watermark if it is due, or in any case with ``force``.

    Returns the new watermark, None where there was nothing to do. One call folds a bounded stretch:
    call again until it returns None.

    Raises:
        Overtaken: another compactor was faster; what this one committed stays right.
    """
    floor = segments.watermark()
    if not (force or is_due(floor, now)):
        return None
    view = _stretch(floor, segments.head() if force else _whole_hours(floor))
    if view.position == floor:
        return None
    # Also what came after the end of its asset, from somebody who did not know of it yet.
    view = view.without(segments.forgotten())
    _forget(view)
    groups = Fold(view).groups(GROUPS[connection.vendor])
    for group in groups if force or _is_long(floor) else _resting(groups):
        _write(group, view, now)
    for rows in latest.folded(view):
        with transaction.atomic():
            _hold(floor)
            write_latest(rows)
    _keep_damaged(view, now)
    _advance(view)
    sweep()
    return view.position


def is_due(floor: int, now: datetime) -> bool:
    """Tell whether an hour has closed behind the watermark, the log is long, or a person waits for its effect."""
    waiting = Segment.objects.filter(lane=LANE, position__gt=floor)
    urgent = waiting.filter(kind__gte=Kind.QUALITY).exclude(origin=Origin.TESTS)
    if segments.head() - floor >= settings.FOLD_SEGMENTS or urgent.exists():
        return True
    found = waiting.aggregate(since=Min("received_at"), readings=Sum("readings"))
    if found["since"] is None:
        return False
    closed = (now - LATE).replace(minute=0, second=0, microsecond=0)
    return bool(found["readings"] >= settings.FOLD_READINGS or found["since"] < closed)


def sweep() -> int:
    """Delete the segments that are folded and that every consumer has read, in small steps; returns how many."""
    if not LogConsumer.objects.filter(name=STORE, lane=LANE).exists():
        return 0
    passed, deleted = LogConsumer.objects.filter(lane=LANE).aggregate(least=Min("position"))["least"], 0
    rows = Segment.objects.filter(lane=LANE, position__lte=passed).order_by("position")
    while found := list(rows.values_list("position", "readings")[:SWEPT_SEGMENTS]):
        sizes = np.cumsum([readings for _, readings in found])
        last = found[min(int(np.searchsorted(sizes, SWEPT_READINGS)), len(found) - 1)][0]
        deleted += Segment.objects.filter(lane=LANE, position__lte=last).delete()[0]
    return deleted


def _is_long(floor: int) -> bool:
    """Tell whether more waits than one fold takes: then the log grows faster than a resting compactor folds it."""
    waiting = Segment.objects.filter(lane=LANE, position__gt=floor).aggregate(readings=Sum("readings"))["readings"] or 0
    return bool(waiting > 2 * settings.FOLD_READINGS or segments.head() - floor > 2 * settings.FOLD_SEGMENTS)


def _resting(groups: Iterable[Group]) -> Iterator[Group]:
    """Give the groups one by one; rest after each, in proportion to what making and writing it took."""
    began = time.monotonic()
    for group in groups:
        yield group
        rest(min(LONGEST_REST, REST * (time.monotonic() - began)))
        began = time.monotonic()


def _whole_hours(floor: int) -> int:
    """Return the position up to which to fold: before the segments of the newest hour, if they are less than half.

    What is folded of an hour that goes on is written again with the rest of it.
    """
    waiting = Segment.objects.filter(lane=LANE, position__gt=floor).order_by("position")
    found = waiting.values_list("position", "readings", "first_at", "last_at", "kind")
    rows = np.array(list(found), np.int64).reshape(-1, 5)
    positions, readings, first_at, last_at, kinds = rows.T
    if not len(rows) or (kinds != Kind.READINGS).any():
        return segments.head()
    ahead = np.flatnonzero(first_at // HOUR >= last_at.max() // HOUR)
    cut = int(ahead[0]) if len(ahead) else len(rows)
    whole = 2 * readings[:cut].sum() >= readings.sum()
    return int(positions[cut - 1] if cut and whole else positions[-1])


def _stretch(floor: int, last: int) -> View:
    """Decode the log from the watermark on up to ``last``, as much as one fold takes."""
    view, room = View(floor, floor), 2 * settings.FOLD_READINGS
    # Another compactor may have swept what it folded meanwhile: then a page ends beyond ``last``, and who writes what
    # came of it finds that it was overtaken.
    while room > 0 and (limit := min(_as_many_as_fit(view.position, room), last - view.position)) > 0:
        rows = segments.fetch(after=view.position, limit=limit)
        view = view.advanced(rows)
        room = 2 * settings.FOLD_READINGS - sum(len(block) for block in view.blocks)
        if len(rows) < limit:
            break
    return view


def _as_many_as_fit(after: int, room: int) -> int:
    """Count the next segments whose readings fill ``room``, the last one perhaps more than that; at most a page."""
    rows = Segment.objects.filter(lane=LANE, position__gt=after).order_by("position")
    sizes = np.cumsum(list(rows.values_list("readings", flat=True)[:PAGE]))
    return min(int(np.searchsorted(sizes, room)) + 1, len(sizes))


def _hold(floor: int) -> None:
    """Let nobody else change what is folded until commit, and make sure that it is where this fold began."""
    if upkeep.hold() != floor:
        raise Overtaken("another compactor was faster")


def _forget(view: View) -> None:
    rows = Forgotten.objects.filter(position__gt=view.floor, position__lte=view.position)
    for asset in list(rows.values_list("asset_id", flat=True)):
        while _forget_some(asset, view.floor):
            pass


@transaction.atomic
def _forget_some(asset: int, floor: int) -> bool:
    """Delete the next hours of an asset that has ended, and what else is kept of it; says whether there may be more."""
    _hold(floor)
    for model in (Chunk, Rollup):
        rows: QuerySet[Any] = model.objects.filter(asset_id=asset)
        hours = list(rows.order_by("hour").values_list("hour", flat=True)[:FORGOTTEN])
        rows.filter(hour__in=hours).delete()
        if len(hours) == FORGOTTEN:
            return True
    kept: list[Any] = [Latest, DayRollup, Upkeep, Correction, QualityMark, Damage]
    for model in kept:
        model.objects.filter(asset_id=asset).delete()
    return False


def _write(group: Group, view: View, now: datetime) -> None:
    # All that takes time is done before the transaction begins.
    through, (codes, statistics) = view.position, group.statistics()
    chunk_rows = _chunk_rows(group, through)
    rows = rollup_rows(group, through, codes, statistics)
    with transaction.atomic():
        _hold(view.floor)
        for chunk in group.damaged:
            _set_aside(chunk.asset, chunk.hour, now)
        for before, some in chunk_rows.items():
            if execute(_UPSERT_CHUNK, some, before) != len(some):
                raise Overtaken("another compactor has folded one of these hours")
        write_rollups(rows)
        upkeep.unsettle(group.assets.tolist(), group.hours.tolist())
    RESENT.inc(group.resent)
    TOO_LATE.inc(group.too_late)


def _chunk_rows(group: Group, through: int) -> Mapping[int, list[tuple[Any, ...]]]:
    """Return the rows of a group's chunks by what these included before."""
    readings, starts, ends = group.readings, group.starts, group.ends()
    payloads = encode_chunks(readings.times, readings.columns, starts, group.locks)
    rows: dict[int, list[tuple[Any, ...]]] = {}
    keys = zip(group.assets.tolist(), group.hours.tolist(), group.before.tolist(), strict=True)
    for (asset, hour, before), start, end, payload in zip(keys, starts.tolist(), ends.tolist(), payloads, strict=True):
        # An hour whose readings were all removed has none: then it keeps its bounds.
        first = int(readings.times[start]) if end > start else hour * HOUR
        last = int(readings.times[end - 1]) if end > start else first
        row = (asset, hour, through, end - start, first, last, payload)
        rows.setdefault(before, []).append(row)
    return rows


def rollup_rows(group: Group, through: int, codes: list[str], statistics: Statistics) -> list[tuple[Any, ...]]:
    """Return the rows of rollups of a group's hours: asset, hour, through, codes, payload."""
    rows: list[tuple[Any, ...]] = []
    filled = statistics["count"] > 0
    for pattern in np.unique(filled, axis=0):
        index = np.flatnonzero((filled == pattern).all(axis=1))
        columns, names = np.flatnonzero(pattern), " ".join(np.array(codes, object)[pattern])
        hours = group.hours[index]
        # An hour without a usable value has a row too: whether it has one tells if its readings may still change.
        packed = pack_hours(statistics[np.ix_(index, columns)], hours) if names else [b""] * len(index)
        keys = zip(group.assets[index].tolist(), hours.tolist(), packed, strict=True)
        rows += [(asset, hour, through, names, payload) for asset, hour, payload in keys]
    return rows


def _set_aside(asset: int, hour: int, now: datetime) -> None:
    rows = Chunk.objects.filter(asset_id=asset, hour=hour)
    for payload in rows.values_list("payload", flat=True):
        Damage.objects.create(asset_id=asset, hour=hour, detail="chunk", payload=payload, found_at=now)


def write_rollups(rows: list[tuple[Any, ...]]) -> None:
    """Write rows of rollups, in a transaction that holds."""
    execute(_UPSERT_ROLLUP, rows)


def write_latest(rows: list[latest.Row]) -> None:
    """Write rows of latest values that are not older than what is there, in a transaction that holds."""
    execute(_UPSERT_LATEST, rows)


@transaction.atomic
def _keep_damaged(view: View, now: datetime) -> None:
    """Keep the bytes of segments that could not be read, once; the log itself will be swept."""
    if view.damaged:
        _hold(view.floor)
        known = set(Damage.objects.filter(position__in=view.damaged).values_list("position", flat=True))
        rows = Segment.objects.filter(lane=LANE, position__in=set(view.damaged) - known)
        for position, payload in rows.values_list("position", "payload"):
            Damage.objects.create(position=position, detail="segment", payload=payload, found_at=now)


@transaction.atomic
def _advance(view: View) -> None:
    _hold(view.floor)
    # Again: a slower compactor may have written what it had read before; from here on it finds itself overtaken.
    _forget(view)
    LogConsumer.objects.filter(name=STORE, lane=LANE).update(position=view.position)


# The condition lets the database choose one of two compactors.
_UPSERT_CHUNK = """
INSERT INTO telemetry_chunk (asset_id, hour, through, readings, first_at, last_at, payload)
{rows}
ON CONFLICT (asset_id, hour) DO UPDATE SET through = excluded.through, readings = excluded.readings,
    first_at = excluded.first_at, last_at = excluded.last_at, payload = excluded.payload
WHERE telemetry_chunk.through = %s
"""
_UPSERT_ROLLUP = """
INSERT INTO telemetry_rollup (asset_id, hour, through, codes, payload) {rows}
ON CONFLICT (asset_id, hour) DO UPDATE SET through = excluded.through, codes = excluded.codes,
    payload = excluded.payload
"""
_UPSERT_LATEST = """
INSERT INTO telemetry_latest (asset_id, through, first_at, corrected_at, codes, payload)
{rows}
ON CONFLICT (asset_id) DO UPDATE SET through = excluded.through, first_at = excluded.first_at,
    corrected_at = excluded.corrected_at, codes = excluded.codes, payload = excluded.payload
WHERE telemetry_latest.through <= excluded.through
"""
