"""Means that know how complete they are: running and daily ones, and the daily maximum of eight hours.

Hours are labelled by their end: the hour that ends at midnight belongs to the day that it closes. Days are those of
the local standard time, which knows no summer time. Amounts are whole millionths (``hours.micros``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from techtrack.airquality.hours import HOUR, MISSING, Ints

DAY_HOURS = 24
EIGHT = 8
# Three quarters, as EU, US and UK demand of eight hours.
EIGHT_NEEDS = 6
# The hour of the day at which the first of the 17 means begins (US), or the first of them has its last hour (China).
FIRST_OF_17 = 7
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rolling(whole: Ints, *, hours: int, least: int) -> Ints:
    """Return the mean of the ``hours`` up to each, cut off at a millionth; MISSING where ``least`` are not known.

    Cutting off, not rounding: what a standard truncates afterwards comes out as if the mean had never been cut.
    """
    count, total = _windows(whole, hours)
    return np.where(count >= least, total // np.maximum(count, 1), MISSING)


def counts(whole: Ints, *, hours: int) -> Ints:
    """Return how many of the ``hours`` up to each are known."""
    return _windows(whole, hours)[0]


def _windows(whole: Ints, hours: int) -> tuple[Ints, Ints]:
    known = whole != MISSING
    count = np.concatenate([np.zeros(1, np.int64), np.cumsum(known)])
    total = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.where(known, whole, 0))])
    ends = np.arange(1, len(whole) + 1)
    begins = np.maximum(ends - hours, 0)
    return count[ends] - count[begins], total[ends] - total[begins]


@dataclass(frozen=True, slots=True)
class Days:
    """The days on which hours lie: the ``number`` of its day for each hour, from 0, and at which ``hour`` it begins.

    ``first`` is day 0 as days since 1970.
    """

    number: Ints
    hour: Ints
    first: int

    @property
    def count(self) -> int:
        """How many days there are, the first and last of which may be cut."""
        return int(self.number[-1]) + 1 if len(self.number) else 0


def standard_offset(zone: ZoneInfo, *, year: int) -> timedelta:
    """Return how far the standard time of a zone is ahead of UTC: the lesser of what it is in January and in July."""
    found = (datetime(year, month, 1, 12, tzinfo=zone).utcoffset() for month in (1, 7))
    return min(offset or timedelta(0) for offset in found)


def days_of(first: datetime, *, length: int, offset: timedelta) -> Days:
    """Return the days of ``length`` hours from the one that ends at ``first``, by a clock ``offset`` ahead of UTC."""
    # Of an hour that ends at 00:00 the beginning decides.
    begin = (first + offset - HOUR - _EPOCH) // timedelta(minutes=1)
    hours = (begin + 60 * np.arange(length, dtype=np.int64)) // 60
    dates = hours // DAY_HOURS
    start = int(dates[0]) if length else 0
    return Days(dates - start, hours % DAY_HOURS, start)


def daily(whole: Ints, days: Days, *, least: int) -> Ints:
    """Return the mean of each day, cut off at a millionth; MISSING where fewer than ``least`` hours are known."""
    known = whole != MISSING
    count = np.bincount(days.number[known], minlength=days.count).astype(np.int64)
    total = np.zeros(days.count, np.int64)
    np.add.at(total, days.number[known], whole[known])
    return np.where(count >= least, total // np.maximum(count, 1), MISSING)


def daily_maximum(whole: Ints, days: Days, *, least: int) -> Ints:
    """Return the highest hour of each day; MISSING where fewer than ``least`` are known."""
    count = np.bincount(days.number[whole != MISSING], minlength=days.count)
    highest = np.full(days.count, MISSING)
    np.maximum.at(highest, days.number, whole)
    return np.where(count >= least, highest, MISSING)


def lowest(whole: Ints, *, hours: int, least: int) -> Ints:
    """Return the lowest of the ``hours`` up to each; MISSING where fewer than ``least`` are known."""
    padded = np.concatenate([np.full(hours, MISSING), whole])
    windows = np.lib.stride_tricks.sliding_window_view(padded, hours)[1:]
    known = windows != MISSING
    return np.where(known.sum(axis=1) >= least, np.where(known, windows, np.iinfo(np.int64).max).min(axis=1), MISSING)


def eight_hours(whole: Ints) -> Ints:
    """Return the means of the eight hours up to each, six of which must be known."""
    return rolling(whole, hours=EIGHT, least=EIGHT_NEEDS)


def daily_maximum_8h(whole: Ints, days: Days, *, least: int = 18) -> Ints:
    """Return the highest mean of eight hours of each day, as the EU takes it: each belongs to the day on which it ends.

    A day needs ``least`` of its 24 means (Directive 2008/50/EC, annexes VII and XI: three quarters).
    """
    return daily_maximum(eight_hours(whole), days, least=least)


def daily_maximum_8h_us(whole: Ints, days: Days, *, least: int = 13) -> Ints:
    """Return the same as the US takes it: of the 17 means that begin from 07:00 to 23:00, ``least`` of which are known.

    40 CFR 50 appendix U (2015); each mean belongs to the day on which it begins. The rule that a day with less counts
    nevertheless where its highest mean is above the standard is for the caller: it knows the standard (``least=1``).
    """
    # The mean that begins with hour i is the one that ends seven hours later.
    begun = np.concatenate([eight_hours(whole)[EIGHT - 1 :], np.full(min(EIGHT - 1, len(whole)), MISSING)])
    return daily_maximum(np.where(days.hour >= FIRST_OF_17, begun, MISSING), days, least=least)


def daily_maximum_8h_cn(whole: Ints, days: Days, *, least: int = 14) -> Ints:
    """Return the same as China takes it: of the 17 means that end from 08:00 to 24:00, ``least`` of which are known.

    HJ 663-2013; the evening before is no part of the day. A day with less counts as it does in the US.
    """
    return daily_maximum(np.where(days.hour >= FIRST_OF_17, eight_hours(whole), MISSING), days, least=least)
