"""A year against limit values: what was found, how many exceedances are used and left, and where the year will end.

The year is that of the site's standard time and counted in whole days: the day that is not over yet is not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from math import floor
from types import MappingProxyType

import numpy as np

from techtrack.airquality.averaging import (
    DAY_HOURS,
    Days,
    daily,
    daily_maximum,
    daily_maximum_8h,
    daily_maximum_8h_cn,
    daily_maximum_8h_us,
    days_of,
    lowest,
)
from techtrack.airquality.forecasts import Forecast, of_count, of_mean
from techtrack.airquality.hours import HOUR, MILLION, MISSING, Axis, Floats, Hours, Ints, amounts, micros
from techtrack.airquality.limits import Basis, Limit, LimitSet, PeakSeason, Periods
from techtrack.airquality.tables import whole
from techtrack.airquality.units import Amount, factor

DAY = timedelta(days=1)
# Of no year before that asked about.
NO_YEARS: Mapping[Year, Mapping[str, Hours]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Year:
    """A calendar year in standard time, ``offset`` ahead of UTC, of which ``days`` are over."""

    number: int
    offset: timedelta
    days: int

    @property
    def begin(self) -> datetime:
        """When it begins."""
        return datetime(self.number, 1, 1, tzinfo=UTC) - self.offset

    @property
    def length(self) -> int:
        """How many days it has."""
        return (datetime(self.number + 1, 1, 1, tzinfo=UTC) - datetime(self.number, 1, 1, tzinfo=UTC)).days

    @property
    def rest(self) -> int:
        """How many days are left."""
        return self.length - self.days


def year_until(number: int, *, offset: timedelta, at: datetime) -> Year:
    """Return a year with the days that are over at a moment: none of a year to come."""
    year = Year(number, offset, 0)
    return Year(number, offset, min(max((at - year.begin) // DAY, 0), year.length))


@dataclass(frozen=True, slots=True)
class SeveralYears:
    """The mean of what decides, or of the periods above a limit that is averaged over several years.

    ``years`` are those of them that are known well enough.
    """

    years: tuple[int, ...]
    mean: float
    exceeded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a year says of one limit; concentrations are in the limit's unit.

    ``value`` is the number that decides (a mean, a percentile, or the highest period after those that are allowed), not
    rounded; None with the ``reason`` where too little is known (``capture``, of the days that are over). ``used`` and
    ``left`` count periods above the limit, None where nothing is counted. ``exceeded`` speaks of the year so far,
    ``over_years`` of it and those before where the standard averages over several.
    """

    limit: Limit
    value: float | None
    used: int | None
    allowed: int | None
    left: int | None
    exceeded: bool | None
    capture: float
    forecast: Forecast | None
    reason: str = ""
    over_years: SeveralYears | None = None


def exceedances(
    hours: Mapping[str, Hours],
    *,
    limits: LimitSet,
    year: Year,
    before: Mapping[Year, Mapping[str, Hours]] = NO_YEARS,
) -> list[Finding]:
    """Compare a year with each limit whose parameter was measured.

    ``before`` are the hours of the years before it, the earliest first, of parameters that are averaged over several.

    Raises:
        Invalid: a unit or reference is missing that a limit needs.
    """
    found = []
    for limit in limits.limits:
        if limit.parameter in hours:
            one = _finding(limit, hours[limit.parameter], limits, year)
            earlier = _earlier(limit, limits, before) if limit.years > 1 else {}
            over = _over_years(limit, limits, {**earlier, year.number: one}) if earlier else None
            found.append(replace(one, over_years=over))
    return found


def _earlier(limit: Limit, limits: LimitSet, before: Mapping[Year, Mapping[str, Hours]]) -> dict[int, Finding]:
    """Return what the years before say of a limit, as far as they are known."""
    return {
        year.number: _finding(limit, hours[limit.parameter], limits, year)
        for year, hours in before.items()
        if limit.parameter in hours
    }


def _over_years(limit: Limit, limits: LimitSet, found: Mapping[int, Finding]) -> SeveralYears | None:
    """Return the mean of the years that are known well enough; None where they are too few."""
    known = {year: one for year, one in found.items() if one.value is not None}
    if len(known) < limits.years_needed:
        return None
    if limit.counted:
        counts = [one.used or 0 for one in known.values()]
        allowed = next(iter(known.values())).allowed or 0
        return SeveralYears(tuple(known), sum(counts) / len(counts), sum(counts) > allowed * len(counts))
    decisive = sum(round((one.value or 0.0) * MILLION) for one in known.values()) // len(known)
    exceeded = bool(limit.brought(np.array([decisive]))[0] > whole(limit.value))
    return SeveralYears(tuple(known), decisive / MILLION, exceeded)


def _finding(limit: Limit, hours: Hours, limits: LimitSet, year: Year) -> Finding:
    periods = _periods(limit, hours, limits, year)
    above = limit.brought(periods.whole) > whole(limit.value)
    allowed = limit.form.allowance(limit.basis.a_day * year.length)
    used = None if allowed is None else int(above.sum())
    enough = periods.capture >= limits.capture
    decisive = limit.form.decisive(periods) if enough and len(periods.known) else None
    # Parts of hours were looked at only where they could be above the limit: the highest below it is not known.
    told = decisive is not None and (limit.basis.parts == 1 or bool(above.any()))
    value = decisive / MILLION if decisive is not None and told else None
    return Finding(
        limit=limit,
        value=value,
        used=used,
        allowed=allowed,
        left=None if used is None or allowed is None else max(allowed - used, 0),
        exceeded=_exceeded(limit, decisive, used, allowed),
        capture=periods.capture,
        forecast=_forecast(limit, periods, value, year) if enough else None,
        reason="" if told else _why(limit, hours, periods, limits),
    )


def _exceeded(limit: Limit, decisive: int | None, used: int | None, allowed: int | None) -> bool | None:
    if decisive is not None:
        return bool(limit.brought(np.array([decisive]))[0] > whole(limit.value))
    # Of however little is known: what is above the allowance stays above it.
    return True if used is not None and allowed is not None and used > allowed else None


def _why(limit: Limit, hours: Hours, periods: Periods, limits: LimitSet) -> str:
    """Say why there is no number that decides."""
    if not len(periods.whole):
        return "no day of the year is over"
    if limit.basis.parts > 1 and limit.basis.parts not in hours.short:
        return f"means of {limit.basis} are not known: values come too seldom"
    if periods.capture < limits.capture:
        return f"{_percent(periods.capture)} of the periods are known, {_percent(limits.capture)} are needed"
    if limit.basis.parts > 1:
        return f"no mean of {limit.basis} is above the limit; which is the highest was not looked for"
    return "the year is too young: no more periods are known than may be above, or no six months in a row"


def _percent(share: float) -> str:
    """Write a share so that none which is too small looks as if it were enough: what is beyond a percent is cut off."""
    return f"{floor(round(share * 100, 6))}%"


def _periods(limit: Limit, hours: Hours, limits: LimitSet, year: Year) -> Periods:
    """Return the periods of a limit in the days that are over."""
    # A day more on either side: means of eight hours reach over midnight.
    axis = Axis(year.begin - DAY + HOUR, (year.days + 2) * DAY_HOURS)
    days = days_of(axis.first, length=axis.length, offset=year.offset)
    parts = axis.lay(_parts(limit.basis.parts, hours), first=hours.first)
    laid = micros((parts * _multipliers(limit, hours, limits, days)[:, np.newaxis]).reshape(-1))
    found = _by_day(limit, laid, days, limits)
    a_day = limit.basis.a_day
    # Of the days and the one after them, which tells how many months are over.
    dates = np.arange(year.days + 1, dtype=np.int64) + days.first + 1
    month = dates.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) - (year.number - 1970) * 12
    return Periods(found[a_day : len(found) - a_day], np.repeat(month[:-1], a_day), int(month[-1]))


def _parts(count: int, hours: Hours) -> Floats:
    """Return the means of so many parts of each hour, one row an hour; of the hour itself if it is one."""
    if count == 1:
        return hours.values[:, np.newaxis]
    return hours.short.get(count, np.full((len(hours.values), count), np.nan))


def _multipliers(limit: Limit, hours: Hours, limits: LimitSet, days: Days) -> Floats:
    """Return what each hour is multiplied with to be in the limit's unit, at the reference that held on its day."""
    measured = Amount(hours.unit, hours.reference)
    found = np.full(len(days.number), factor(limit.parameter, measured=measured, wanted=limit.amount))
    if limits.formerly is not None:
        former = replace(limit.amount, reference=limits.formerly.reference)
        before = days.first + days.number < (limits.formerly.until - date(1970, 1, 1)).days
        found[before] = factor(limit.parameter, measured=measured, wanted=former)
    return found


def _by_day(limit: Limit, laid: Ints, days: Days, limits: LimitSet) -> Ints:
    match limit.basis:
        case Basis.TEN_MINUTES | Basis.QUARTER | Basis.HOUR:
            return laid
        case Basis.THREE_HOURS:
            return _not_above_or(limit, lowest(laid, hours=3, least=1), lowest(laid, hours=3, least=3))
        case Basis.DAY:
            return daily(laid, days, least=limits.day_needs)
        case Basis.HIGHEST_HOUR:
            return daily_maximum(laid, days, least=limits.day_needs)
        case Basis.HIGHEST_8H:
            return daily_maximum_8h(laid, days)
        case Basis.HIGHEST_8H_US | Basis.HIGHEST_8H_CN:
            of = daily_maximum_8h_us if limit.basis is Basis.HIGHEST_8H_US else daily_maximum_8h_cn
            return _above_or(limit, of(laid, days, least=1), of(laid, days))


def _above_or(limit: Limit, whatever: Ints, enough: Ints) -> Ints:
    """Return the days of which enough is known, and those above the limit: what is not known lowers no maximum."""
    return np.where(limit.brought(whatever) > whole(limit.value), whatever, enough)


def _not_above_or(limit: Limit, whatever: Ints, enough: Ints) -> Ints:
    """Return what is fully known, and what is not above the limit: what is not known raises no minimum."""
    return np.where(limit.brought(whatever) <= whole(limit.value), whatever, enough)


def _forecast(limit: Limit, periods: Periods, value: float | None, year: Year) -> Forecast | None:
    """Return where the year ends: how many exceedances, or which mean; None where too little is known to say."""
    if limit.form.allowance(limit.basis.a_day * year.length) is not None:
        return _count_forecast(limit, periods, year)
    return None if value is None else _mean_forecast(limit, periods, value, year)


def _count_forecast(limit: Limit, periods: Periods, year: Year) -> Forecast | None:
    """Return how many exceedances the year will have."""
    above = limit.brought(periods.whole) > whole(limit.value)
    known = (periods.whole != MISSING).reshape(year.days, limit.basis.a_day).any(axis=1)
    by_day = above.reshape(year.days, limit.basis.a_day).sum(axis=1)
    return of_count(np.where(known, by_day, np.nan), rest=year.rest, most=limit.basis.a_day)


def _mean_forecast(limit: Limit, periods: Periods, mean: float, year: Year) -> Forecast | None:
    """Return the mean that the year will have; none of a season, as one half of a year is no sample of the other."""
    if isinstance(limit.form, PeakSeason):
        return None
    return of_mean(_means(periods.whole.reshape(year.days, limit.basis.a_day)), mean=mean, rest=year.rest)


def _means(by_day: Ints) -> Floats:
    """Return the mean of each day, NaN where nothing is known of it."""
    values = amounts(by_day)
    known = ~np.isnan(values)
    count = known.sum(axis=1)
    return np.where(count > 0, np.where(known, values, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)
