"""Reads of telemetry: newest values, single readings, pages of readings, buckets. No door looks deeper."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from techtrack.core.clock import from_micros, to_micros
from techtrack.telemetry.domain.aggregation import Buckets, bucketed
from techtrack.telemetry.domain.reading import Readings, Row
from techtrack.telemetry.models import LogConsumer
from techtrack.telemetry.store.base import LatestValue, LogEntry
from techtrack.telemetry.store.segments import LANE, store

FOREVER = (np.iinfo(np.int64).min, np.iinfo(np.int64).max)


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the order of a list of readings: newest first, then by asset."""

    time: int
    asset: int


def latest(asset_ids: Iterable[int]) -> dict[int, dict[str, LatestValue]]:
    """Return the newest value of each parameter of each asset; assets without readings are absent."""
    return store.latest(asset_ids)


def reading(*, asset_id: int, time: int) -> Row | None:
    """Return the reading of an asset at a time (µs), None where there is none."""
    found = store.readings([asset_id]).get(asset_id, Readings()).between(time, time + 1)
    return Row(asset_id, time, found.at(0)) if len(found.times) else None


def older(
    *, asset_ids: Iterable[int], span: tuple[int, int], before: Place | None, limit: int, parameters: Sequence[str] = ()
) -> list[Row]:
    """Return up to ``limit`` readings with span[0] <= time < span[1], newest first, behind ``before``."""
    rows = _merged(asset_ids, span, parameters, limit=limit, place=before, newest_first=True)
    return list(itertools.islice(rows, limit))


def newer(
    *, asset_ids: Iterable[int], span: tuple[int, int], after: Place, limit: int, parameters: Sequence[str] = ()
) -> list[Row]:
    """Return the up to ``limit`` readings just ahead of ``after`` in the same list, newest first."""
    rows = _merged(asset_ids, span, parameters, limit=limit, place=after, newest_first=False)
    return list(itertools.islice(rows, limit))[::-1]


def buckets(
    *, asset_ids: list[int], parameters: list[str], span: tuple[int, int], width: int
) -> dict[tuple[int, str], Buckets]:
    """Return the buckets, ``width`` µs wide, of every series that has readings in ``span``."""
    found = {}
    for asset_id, readings in store.readings(asset_ids).items():
        stretch = readings.between(*span)
        for code in parameters or sorted(stretch.columns):
            times, values = stretch.series(code)
            if len(times):
                found[asset_id, code] = bucketed(times, values, width=width)
    return found


def extent(asset_ids: Iterable[int]) -> tuple[datetime, datetime] | None:
    """Return the times of the first and last reading of the assets, None where there is none."""
    times = [readings.times for readings in store.readings(asset_ids).values()]
    if not times:
        return None
    return from_micros(int(min(t[0] for t in times))), from_micros(int(max(t[-1] for t in times)))


def count(asset_id: int) -> int:
    """Return how many readings an asset has."""
    readings = store.readings([asset_id]).get(asset_id)
    return len(readings.between(*FOREVER).times) if readings else 0


def log(*, after: int, limit: int) -> list[LogEntry]:
    """Return the entries of the log behind a position, in order."""
    return store.log(after=after, limit=limit)


def head() -> int:
    """Return the position of the newest entry of the log."""
    return store.head()


def consumed(name: str) -> int | None:
    """Return how far a consumer has read the log, None for one that never began."""
    return LogConsumer.objects.filter(name=name, lane=LANE).values_list("position", flat=True).first()


def micros(moment: datetime | None, default: int) -> int:
    """Turn an optional bound into µs."""
    return default if moment is None else to_micros(moment)


def _merged(
    asset_ids: Iterable[int],
    span: tuple[int, int],
    parameters: Sequence[str],
    *,
    limit: int,
    place: Place | None,
    newest_first: bool,
) -> Iterator[Row]:
    lists = []
    for asset_id, readings in store.readings(asset_ids).items():
        stretch = _with(readings.between(*span), parameters)
        indices = _window(stretch.times, asset_id, place, limit, newest_first=newest_first)
        lists.append([Row(asset_id, int(stretch.times[index]), stretch.at(index)) for index in indices])
    return heapq.merge(*lists, key=lambda row: (row.time, row.asset), reverse=newest_first)


def _with(readings: Readings, parameters: Sequence[str]) -> Readings:
    if not parameters:
        return readings
    there = np.zeros(len(readings.times), bool)
    for code in readings.columns.keys() & set(parameters):
        there |= ~np.isnan(readings.columns[code])
    return Readings(readings.times[there], {code: values[there] for code, values in readings.columns.items()})


def _window(times: np.ndarray, asset: int, place: Place | None, limit: int, *, newest_first: bool) -> range:
    """Index the ``limit`` readings next to ``place``, in the direction asked for."""
    if newest_first:
        # At the very time of the place, only assets with a smaller id come behind it.
        end = (
            len(times)
            if place is None
            else int(np.searchsorted(times, place.time, "right" if asset < place.asset else "left"))
        )
        return range(end - 1, max(end - limit, 0) - 1, -1)
    assert place is not None  # noqa: S101 - there is nothing newer than no place
    start = int(np.searchsorted(times, place.time, "left" if asset > place.asset else "right"))
    return range(start, min(start + limit, len(times)))
