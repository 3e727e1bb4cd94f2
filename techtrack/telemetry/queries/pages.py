"""Single readings, and lists of them, newest first: read by windows of time that grow while they hold too little."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from techtrack.telemetry.domain.quality import Quality, qualities
from techtrack.telemetry.domain.reading import FOREVER, Ints, Readings
from techtrack.telemetry.queries.walking import HOUR, having
from techtrack.telemetry.store.base import Span
from techtrack.telemetry.store.database import store
from techtrack.telemetry.store.latest import Newest
from techtrack.telemetry.store.tail import NEVER

# What one window may hold at most: an hour of an asset has some hundred readings, sometimes thousands.
MOST_ASSET_HOURS = 10_000
MOST_READINGS = 200_000
FIRST_HOURS = 2


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the order of a list of readings: newest first, at one time the greatest asset id first."""

    time: int
    asset: int


class Found(NamedTuple):
    """One reading: asset id, µs since 1970 (UTC), values, and the quality of those that are not good."""

    asset: int
    time: int
    values: Mapping[str, float]
    quality: Mapping[str, str]


def reading(*, asset_id: int, time: int) -> Found | None:
    """Return the reading of an asset at a time (µs), None where there is none."""
    found = store.readings([asset_id], span=(time, time + 1)).get(asset_id)
    return _row(asset_id, found, 0) if found is not None and len(found.times) else None


def older(
    *, asset_ids: Iterable[int], span: Span, before: Place | None, limit: int, parameters: Sequence[str] = ()
) -> list[Found]:
    """Return up to ``limit`` readings with span[0] <= time < span[1], newest first, behind ``before``."""
    end = span[1] if before is None else min(span[1], before.time + 1)
    with store.picture():
        return _older(list(asset_ids), (span[0], end), before, limit, parameters)


def _older(ids: list[int], span: Span, before: Place | None, limit: int, parameters: Sequence[str]) -> list[Found]:
    newest = store.newest(ids)
    ids = _that_have(newest, parameters)
    if span[1] == FOREVER[1] and len(ids) > limit:
        ids = _foremost(newest, parameters, limit)
    found = _Page(before, limit, newest_first=True)
    for window, readings in _windows(ids, _within(span, newest), parameters, newest_first=True):
        found.add(window, readings)
        if found.is_full:
            break
    return found.rows()


def newer(
    *, asset_ids: Iterable[int], span: Span, after: Place, limit: int, parameters: Sequence[str] = ()
) -> list[Found]:
    """Return the up to ``limit`` readings just ahead of ``after`` in the same list, newest first."""
    span = (max(span[0], after.time), span[1])
    found = _Page(after, limit, newest_first=False)
    with store.picture():
        newest = store.newest(asset_ids)
        ids = _that_have(newest, parameters)
        for window, readings in _windows(ids, _within(span, newest), parameters, newest_first=False):
            found.add(window, readings)
            if found.is_full:
                break
    return found.rows()[::-1]


class _Page:
    """Gathers the readings next to a place, window by window, until there are ``limit``."""

    def __init__(self, place: Place | None, limit: int, *, newest_first: bool) -> None:
        self._place, self._limit, self._newest_first = place, limit, newest_first
        self._rows: list[Found] = []

    @property
    def is_full(self) -> bool:
        """Whether no more are wanted."""
        return len(self._rows) >= self._limit

    def rows(self) -> list[Found]:
        """Give them, those next to the place first."""
        return self._rows

    def add(self, window: Span, readings: Mapping[int, Readings]) -> None:
        """Take what one window holds, which lies behind all windows before."""
        ids = [asset for asset, found in readings.items() if len(found.times)]
        if not ids:
            return
        times = np.concatenate([readings[asset].times for asset in ids])
        counts = [len(readings[asset].times) for asset in ids]
        assets = np.repeat(np.array(ids, np.int64), counts)
        index = np.concatenate([np.arange(count) for count in counts])
        for place in self._chosen(times, assets):
            asset = int(assets[place])
            self._rows.append(_row(asset, readings[asset], int(index[place])))

    def _chosen(self, times: Ints, assets: Ints) -> Ints:
        place = self._place
        order = np.lexsort((assets, times))
        if place is not None:
            at, behind = times[order], assets[order] < place.asset
            ahead = assets[order] > place.asset
            tied = behind if self._newest_first else ahead
            beyond = at < place.time if self._newest_first else at > place.time
            order = order[beyond | ((at == place.time) & tied)]
        order = order[::-1] if self._newest_first else order
        return order[: self._limit - len(self._rows)]


def _newest_of(newest: Newest, parameters: Sequence[str]) -> Ints:
    """Return by asset the time of the newest reading that has one of the parameters, or any; ``NEVER``: none."""
    times = np.full(len(newest.assets), NEVER)
    for code, (theirs, _) in newest.columns.items():
        if not parameters or code in parameters:
            np.maximum(times, theirs, out=times)
    return times


def _that_have(newest: Newest, parameters: Sequence[str]) -> list[int]:
    # Most assets have never had a parameter: they need not be searched.
    if not parameters:
        return list(newest.assets.tolist())
    return list(newest.assets[_newest_of(newest, parameters) != NEVER].tolist())


def _foremost(newest: Newest, parameters: Sequence[str], limit: int) -> list[int]:
    """Return the only assets that a first page of so many readings can show.

    Each of the ``limit`` assets whose newest readings come first has one at least: whoever comes behind them all
    has none among the first.
    """
    times = _newest_of(newest, parameters)
    order = np.lexsort((newest.assets, times))[::-1][:limit]
    return list(newest.assets[order[times[order] != NEVER]].tolist())


def _within(span: Span, newest: Newest) -> Span:
    bounds = newest.span() or (0, 0)
    return max(span[0], bounds[0]), min(span[1], bounds[1])


def _windows(
    ids: Sequence[int], span: Span, parameters: Sequence[str], *, newest_first: bool
) -> Iterator[tuple[Span, Mapping[int, Readings]]]:
    """Read one window of time after the other, whole hours, from one end of ``span`` to the other."""
    start, end = span if ids else (0, 0)
    hours = FIRST_HOURS
    while start < end:
        if newest_first:
            window = (max(start, ((end - 1) // HOUR + 1 - hours) * HOUR), end)
            end = window[0]
        else:
            window = (start, min(end, (start // HOUR + hours) * HOUR))
            start = window[1]
        readings = store.readings(ids, span=window)
        read = sum(len(found.times) for found in readings.values())
        yield window, {asset: having(found, parameters) for asset, found in readings.items()}
        hours = _more(hours, read, len(ids))


def _more(hours: int, read: int, assets: int) -> int:
    """Return how many hours to read next, after ``hours`` held so many readings of all assets."""
    most = MOST_ASSET_HOURS // assets
    if read:
        most = min(most, MOST_READINGS * hours // read)
    return max(1, min(hours * 4, most))


def _row(asset: int, readings: Readings, index: int) -> Found:
    values = readings.at(index)
    return Found(asset, int(readings.times[index]), values, _quality(readings, index, values))


def _quality(readings: Readings, index: int, values: Mapping[str, float]) -> dict[str, str]:
    if not readings.marks:
        return {}
    time = readings.times[index : index + 1]
    found = {code: Quality(int(qualities(time, code, readings.marks)[0])) for code in values}
    return {code: quality.name.lower() for code, quality in found.items() if quality is not Quality.GOOD}
