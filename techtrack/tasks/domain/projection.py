"""When a meter will have counted enough: a daily rate that odd weeks do not bend, and the date that follows from it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from statistics import fmean, median

from techtrack.tasks.domain.reasons import Reason

# Long enough for the rhythm of shifts to show, short enough to follow a new order book.
WEEKS = 6
_WEEK = 7
# Days of a week that must be known: of fewer the weekend may be all there is, or all that is missing.
_FEWEST_DAYS = 4
FARTHEST = timedelta(days=3660)


@dataclass(frozen=True, slots=True)
class Pace:
    """How much a meter counts a day on average, idle days included; None where that cannot be told, and why."""

    per_day: float | None
    reason: Reason


@dataclass(frozen=True, slots=True)
class Projection:
    """When a meter will have counted so much; None where that cannot be told, and why."""

    due: datetime | None
    reason: Reason


def daily_use(totals: Mapping[date, float], *, last: date) -> list[float | None]:
    """Return the use of each of the days up to ``last``, oldest first, from what was counted by the end of each day.

    A day between two that are told of added nothing: the asset was off. None before the first and after the last.
    """
    known = sorted(totals)
    days = [last - timedelta(days=back) for back in reversed(range(WEEKS * _WEEK + 1))]
    places = [bisect_right(known, day) - 1 if known and day <= known[-1] else -1 for day in days]
    ends = [totals[known[place]] if place >= 0 else None for place in places]
    return [None if before is None or after is None else after - before for before, after in pairwise(ends)]


def pace(daily: Sequence[float | None]) -> Pace:
    """Return the median over the last weeks of a week's average day; ``daily`` is oldest first, None is unknown.

    Whole weeks are compared, since most assets rest at weekends; the median, since a week of holidays or of night
    shifts is no rule. An asset that rests in more than half of the weeks has a median of nothing: then the average.
    """
    recent = list(daily)[-WEEKS * _WEEK :]
    weeks = [recent[max(end - _WEEK, 0) : end] for end in range(len(recent), 0, -_WEEK)]
    known = [[use for use in week if use is not None] for week in weeks]
    rates = [fmean(week) for week in known if len(week) >= _FEWEST_DAYS]
    if not rates:
        return Pace(None, Reason.TOO_LITTLE_HISTORY)
    rate = median(rates) or fmean(rates)
    return Pace(rate, Reason.PROJECTED) if rate > 0 else Pace(None, Reason.NOT_USED)


def projected(remaining: float, *, at: Pace, now: datetime) -> Projection:
    """Return when ``remaining`` units will have been counted ``at`` this pace."""
    if at.per_day is None:
        return Projection(None, at.reason)
    days = remaining / at.per_day
    if days > FARTHEST / timedelta(days=1):
        return Projection(None, Reason.TOO_FAR)
    return Projection(now + timedelta(days=days), Reason.PROJECTED)
