"""A year of a sensor against limit values, and how much of a stretch of time is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from techtrack.airquality.averaging import standard_offset
from techtrack.airquality.exceedances import Finding, Year, exceedances, year_until
from techtrack.airquality.hours import HOUR
from techtrack.airquality.limits import LimitSet
from techtrack.environment.queries.air import Air, Stretch, air_of
from techtrack.telemetry.queries import Subject

DAY_HOURS = 24


@dataclass(frozen=True, slots=True)
class Capture:
    """Of how many hours of a stretch a parameter is known."""

    parameter: str
    known: int
    hours: int

    @property
    def share(self) -> float:
        """The share that is known."""
        return self.known / self.hours if self.hours else 0.0


def year_at(number: int, *, subject: Subject, now: datetime) -> Year:
    """Return a year by the standard time of a sensor's site, with the days that are over."""
    return year_until(number, offset=offset_of(subject, year=number), at=now)


def offset_of(subject: Subject, *, year: int) -> timedelta:
    """Return how far the standard time of a sensor's site is ahead of UTC."""
    return standard_offset(ZoneInfo(subject.zone or "UTC"), year=year)


def year_of_air(subject: Subject, *, codes: Sequence[str], year: Year) -> Air:
    """Return the hours of a year's days that are over, and of a day on either side: means of 8 h go over midnight."""
    length = (year.days + 2) * DAY_HOURS
    stretch = Stretch(year.begin - timedelta(days=1) + HOUR, length)
    return air_of([subject], codes=codes, stretch=stretch)[subject.id]


def exceedances_of(subject: Subject, *, limits: LimitSet, year: Year) -> list[Finding]:
    """Compare a year of a sensor with limits, those of parameters that it has ever measured.

    Raises:
        Invalid: a unit or reference is missing that a limit needs.
    """
    codes = tuple(dict.fromkeys(limit.parameter for limit in limits.limits))
    return exceedances(year_of_air(subject, codes=codes, year=year).hours, limits=limits, year=year)


def captures(air: Air, *, start: datetime, end: datetime) -> list[Capture]:
    """Count the hours that are known among those that end after ``start`` and up to ``end``."""
    found = []
    for code, hours in air.hours.items():
        begin = (start - hours.first) // HOUR + 1
        values = hours.values[max(begin, 0) : (end - hours.first) // HOUR + 1]
        found.append(Capture(code, int((~np.isnan(values)).sum()), (end - start) // HOUR))
    return found
