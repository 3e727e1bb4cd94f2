"""Stretches of time by the local clock: intervals as people write them, and the edges of their buckets.

A bucket holds every instant whose local time falls into the same multiple of the interval: hours and quarters
count from local midnight, days and weeks (from Monday), months and years are those of the calendar. A clock set
forward makes the bucket it jumps over shorter or leaves it out; a clock set back makes a long bucket longer, and
repeats a bucket that fits into what is repeated. Where an interval of hours does not divide a day, its buckets are
multiples since 1970 (UTC).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np

from techtrack.core.clock import from_micros, iso_duration
from techtrack.telemetry.domain.reading import Ints

SECOND = 1_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
EPOCH_MONTHS = 1970 * 12
MONDAY = 4 * DAY  # 1970-01-05
LONGEST_YEARS = 10


class Unit(StrEnum):
    """What an interval counts; µs are absolute time, the others are what the local calendar makes of them."""

    MICROSECOND = "µs"
    DAY = "D"
    WEEK = "W"
    MONTH = "M"
    YEAR = "Y"


NOMINAL = {
    Unit.MICROSECOND: 1,
    Unit.DAY: DAY,
    Unit.WEEK: 7 * DAY,
    Unit.MONTH: 30 * DAY,
    Unit.YEAR: 365 * DAY,
}


@dataclass(frozen=True, slots=True)
class Interval:
    """``number`` units of time; one bucket is that long."""

    number: int
    unit: Unit = Unit.MICROSECOND

    @property
    def nominal(self) -> int:
        """The usual length in µs."""
        return self.number * NOMINAL[self.unit]

    def __str__(self) -> str:
        if self.unit is not Unit.MICROSECOND:
            return f"P{self.number}{self.unit}"
        hours, rest = divmod(self.number, HOUR)
        # Hours are not days: a day has 23 to 25 of them.
        return f"PT{hours}H" if not rest else iso_duration(timedelta(microseconds=self.number))


# The widths a person would choose; an automatic interval is one of them.
_NICE_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200)
NICE = (
    *(Interval(seconds * SECOND) for seconds in _NICE_SECONDS),
    *(Interval(number, Unit.DAY) for number in (1, 2)),
    *(Interval(number, Unit.WEEK) for number in (1, 2)),
    *(Interval(number, Unit.MONTH) for number in (1, 3)),
    *(Interval(number, Unit.YEAR) for number in (1, 2, 5, 10)),
)
_CALENDAR = re.compile(r"P(\d{1,5})([DWMY])", re.ASCII)
_CLOCK = re.compile(r"P(?:(\d{1,4})D)?T(?=\d)(?:(\d{1,6})H)?(?:(\d{1,7})M)?(?:(\d{1,9})S)?", re.ASCII)


def read_interval(text: str) -> Interval | None:
    """Read ``PT15M``, ``PT1H30M``, ``P1D``, ``P2W``, ``P3M``, ``P1Y``: a second to ten years; None for other text."""
    if match := _CALENDAR.fullmatch(text):
        interval = Interval(int(match[1]), Unit(match[2]))
    elif match := _CLOCK.fullmatch(text):
        days, hours, minutes, seconds = (int(group or 0) for group in match.groups())
        interval = Interval((((days * 24 + hours) * 60 + minutes) * 60 + seconds) * SECOND)
    else:
        return None
    return interval if SECOND <= interval.nominal <= LONGEST_YEARS * 366 * DAY else None


def nice_interval(length: int, *, points: int) -> Interval:
    """Return the narrowest usual interval that cuts ``length`` µs into about ``points`` buckets at most."""
    wanted = max(length, SECOND) / points
    return next((interval for interval in NICE if interval.nominal >= wanted), NICE[-1])


def edges(interval: Interval, *, start: int, end: int, zone: ZoneInfo) -> Ints:
    """Return the bounds of the buckets that hold ``start <= time < end`` (µs): the first at or before start."""
    # As far out as the next edge can be: a calendar's months differ, and clocks are set back by hours at most.
    reach = 2 * interval.nominal + 3 * HOUR if interval.nominal < DAY else interval.nominal * 11 // 10 + 2 * DAY
    if interval.unit is Unit.MICROSECOND and DAY % interval.number:
        found = _multiples(interval.number, start - interval.number, end + interval.number)
    else:
        found = np.sort(np.concatenate([*_local_edges(interval, start - reach, end + reach, zone)]))
        # numpy's unique() hashes, which costs ten times as much as looking at neighbours.
        found = found[np.diff(found, prepend=found[0] - 1) > 0]
    first = np.searchsorted(found, start, "right") - 1
    last = np.searchsorted(found, end, "left")
    return found[first : last + 1]


def _local_edges(interval: Interval, start: int, end: int, zone: ZoneInfo) -> Iterator[Ints]:
    """Give the edges of each stretch in which the zone keeps its offset."""
    before = None
    for since, until, offset in _stretches(zone, start, end):
        bounds = _boundaries(interval, since + offset, until + offset)
        if before is not None and before < offset and len(_boundaries(interval, since + before, since + offset)):
            yield np.array([since])  # the clock jumped over an edge: what was to begin there begins now
        if before is not None and before > offset:
            repeated = before - offset
            if interval.nominal <= repeated:
                yield np.array([since])
            else:
                bounds = bounds[bounds >= since + before]
        yield bounds - offset
        before = offset


def _boundaries(interval: Interval, start: int, end: int) -> Ints:
    """Return the local times (µs as if they were UTC) with start <= time < end at which a bucket begins."""
    match interval.unit:
        case Unit.MICROSECOND:
            return _multiples(interval.number, start, end)
        case Unit.DAY:
            return _multiples(interval.number * DAY, start, end)
        case Unit.WEEK:
            return _multiples(interval.number * 7 * DAY, start - MONDAY, end - MONDAY) + MONDAY
        case Unit.MONTH:
            return _months(interval.number, start, end)
        case Unit.YEAR:
            return _months(interval.number * 12, start, end)


def _multiples(width: int, start: int, end: int) -> Ints:
    return np.arange(-(-start // width) * width, end, width, dtype=np.int64)


def _months(number: int, start: int, end: int) -> Ints:
    first, last = np.array([start, end], "datetime64[us]").astype("datetime64[M]").astype(np.int64) + EPOCH_MONTHS
    months = _multiples(number, int(first), int(last) + 1) - EPOCH_MONTHS
    begins = months.astype("datetime64[M]").astype("datetime64[us]").astype(np.int64)
    return begins[(begins >= start) & (begins < end)]


def _stretches(zone: ZoneInfo, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Give (since, until, offset), all µs, for start <= time < end."""
    years = range(from_micros(start).year, from_micros(end).year + 1)
    changes = [change for year in years for change in _changes(zone, year) if start < change[0] < end]
    offset = _offset(zone, start // SECOND) * SECOND
    for at, after in changes:
        yield start, at, offset
        start, offset = at, after
    yield start, end, offset


# Some hundred zones times some years: kept, because finding them costs a third of a millisecond a year.
@lru_cache(maxsize=4096)
def _changes(zone: ZoneInfo, year: int) -> tuple[tuple[int, int], ...]:
    """Return (instant, offset from then on), µs, of each change of a zone's offset in a year."""
    first = int(datetime(year, 1, 1, tzinfo=UTC).timestamp())
    last = int(datetime(year + 1, 1, 1, tzinfo=UTC).timestamp())
    days = [*range(first, last, 86_400), last]
    offsets = [_offset(zone, day) for day in days]
    return tuple(
        (_between(zone, low, high) * SECOND, offsets[index + 1] * SECOND)
        for index, (low, high) in enumerate(pairwise(days))
        if offsets[index] != offsets[index + 1]
    )


def _between(zone: ZoneInfo, low: int, high: int) -> int:
    """Find the second between two at which the offset is no longer what it was at ``low``."""
    before = _offset(zone, low)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(zone, middle) == before else (low, middle)
    return high


def _offset(zone: ZoneInfo, second: int) -> int:
    shift = datetime.fromtimestamp(second, zone).utcoffset()
    return int((shift or timedelta(0)).total_seconds())
