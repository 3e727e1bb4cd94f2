"""A year of a sensor against limit values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from techtrack.airquality.averaging import standard_offset
from techtrack.airquality.exceedances import Finding, Year, exceedances, year_until
from techtrack.airquality.hours import HOUR, Hours
from techtrack.airquality.limits import LimitSet
from techtrack.environment.domain.correcting import Air
from techtrack.environment.queries.air import Stretch, air_of, of_air
from techtrack.environment.queries.short import with_short
from techtrack.telemetry.queries import Subject

DAY_HOURS = 24
# What is averaged over several years here. Doing so with dust and NO2 in the US would be to read all three times.
AVERAGED = "o3"


def year_at(number: int, *, subject: Subject, now: datetime) -> Year:
    """Return a year by the standard time of a sensor's site, with the days that are over."""
    return year_until(number, offset=offset_of(subject, year=number), at=now)


def offset_of(subject: Subject, *, year: int) -> timedelta:
    """Return how far the standard time of a sensor's site is ahead of UTC."""
    return standard_offset(ZoneInfo(subject.zone or "UTC"), year=year)


def year_of_air(subjects: Sequence[Subject], *, codes: Sequence[str], year: Year) -> dict[int, Air]:
    """Return, by sensor, the hours of a year's days that are over, and a day on either side: 8 h go over midnight."""
    length = (year.days + 2) * DAY_HOURS
    stretch = Stretch(year.begin - timedelta(days=1) + HOUR, length)
    return air_of(subjects, codes=codes, stretch=stretch)


def ozone_before(
    subjects: Sequence[Subject], *, limits: LimitSet, year: Year
) -> dict[int, dict[Year, Mapping[str, Hours]]]:
    """Return, by sensor, the ozone of the years before one over which limits average it, the earliest first."""
    span = max((limit.years for limit in limits.limits if limit.parameter == AVERAGED), default=1)
    years = [year_until(year.number - back, offset=year.offset, at=year.begin) for back in range(span - 1, 0, -1)]
    some = of_air(subjects, (AVERAGED,)) if years else []
    found: dict[int, dict[Year, Mapping[str, Hours]]] = {subject.id: {} for subject in some}
    for one in years if some else ():
        for asset, air in year_of_air(some, codes=(AVERAGED,), year=one).items():
            found[asset][one] = air.hours
    return found


def exceedances_of(subject: Subject, *, limits: LimitSet, year: Year) -> list[Finding]:
    """Compare a year of a sensor with limits, those of parameters that it has ever measured.

    Raises:
        Invalid: a unit or reference is missing that a limit needs.
    """
    codes = tuple(dict.fromkeys(limit.parameter for limit in limits.limits))
    air = with_short(year_of_air([subject], codes=codes, year=year)[subject.id], subject, limits=limits)
    before = ozone_before([subject], limits=limits, year=year).get(subject.id, {})
    return exceedances(air.hours, limits=limits, year=year, before=before)
