"""The part of the year in which work is wanted, such as April to October; it may reach over New Year."""

from __future__ import annotations

import re
from calendar import isleap
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from techtrack.core.errors import Invalid, member

FIELDS = {"from", "to"}
_MONTH_DAY = re.compile(r"(\d\d)-(\d\d)", re.ASCII)
_LEAP_YEAR, _LEAP_DAY = 2024, (2, 29)


class BadSeason(Invalid):
    """It is no part of the year."""

    code = "bad_season"


@dataclass(frozen=True, slots=True)
class Season:
    """The days from ``first`` to ``last``, both included, each (month, day), on the calendar of ``zone``."""

    first: tuple[int, int]
    last: tuple[int, int]
    zone: ZoneInfo

    @classmethod
    def parse(cls, raw: Any, *, zone: ZoneInfo, pointer: str) -> Season:
        """Build one of ``{"from": "04-01", "to": "10-31"}``.

        Raises:
            BadSeason: with a fault that names the place.
        """
        if not isinstance(raw, dict) or set(raw) != FIELDS:
            raise BadSeason("an object with from and to, such as 04-01 and 10-31, is expected", pointer=pointer)
        first, last = (_month_day(raw[name], member(pointer, name)) for name in ("from", "to"))
        if first == last == _LEAP_DAY:
            raise BadSeason("a season comes every year: not a leap day alone", pointer=pointer)
        return cls(first, last, zone)

    def includes(self, moment: datetime) -> bool:
        """Tell whether the day of ``moment`` lies in it."""
        return self._on(moment.astimezone(self.zone).date())

    def brought_in(self, moment: datetime) -> datetime:
        """Return ``moment`` itself in the season, else the same time on the first day of the next one (UTC)."""
        if self.includes(moment):
            return moment
        return datetime.combine(self._next(moment), moment.astimezone(self.zone).time(), self.zone).astimezone(UTC)

    def next_opening(self, moment: datetime) -> datetime:
        """Return when the first day of the next season begins (UTC), of a ``moment`` outside."""
        return datetime.combine(self._next(moment), time(), self.zone).astimezone(UTC)

    def _next(self, moment: datetime) -> date:
        day = moment.astimezone(self.zone).date()
        opening = self._opening(day.year)
        return opening if opening >= day else self._opening(day.year + 1)

    def _on(self, day: date) -> bool:
        at = (day.month, day.day)
        if self.first <= self.last:
            return self.first <= at <= self.last
        return at >= self.first or at <= self.last

    def _opening(self, year: int) -> date:
        month, day = (3, 1) if self.first == _LEAP_DAY and not isleap(year) else self.first
        return date(year, month, day)


def _month_day(text: Any, pointer: str) -> tuple[int, int]:
    match = _MONTH_DAY.fullmatch(text) if isinstance(text, str) else None
    try:
        # Any day that some year has.
        day = date(_LEAP_YEAR, int(match[1]), int(match[2])) if match else None
    except ValueError:
        day = None
    if day is None:
        raise BadSeason("a month and a day such as 04-01 are expected", pointer=pointer)
    return day.month, day.day
