"""What a limit value is: of which periods, how many of them may lie above it, and what number decides.

Every form of a short-term limit comes down to one number of the year that must not be above the value: 35 days allowed
make it the 36th highest day, a 99th percentile the fourth highest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from math import ceil, floor
from typing import Protocol

import numpy as np

from techtrack.airquality.hours import MISSING, Ints
from techtrack.airquality.tables import How, Rounding
from techtrack.airquality.units import Amount, Reference


class Basis(StrEnum):
    """The periods that are compared with a limit, or averaged over a year."""

    TEN_MINUTES = "10 min"
    QUARTER = "15 min"
    HOUR = "1 h"
    THREE_HOURS = "3 h in a row"
    DAY = "24 h"
    HIGHEST_HOUR = "highest hour of a day"
    HIGHEST_8H = "highest 8 h of a day"
    HIGHEST_8H_US = "highest 8 h of a day, begun from 07:00 to 23:00"
    HIGHEST_8H_CN = "highest 8 h of a day, ended from 08:00 to 24:00"

    @property
    def parts(self) -> int:
        """Into how many of them an hour is cut; 1 where none is shorter than an hour."""
        return {Basis.TEN_MINUTES: 6, Basis.QUARTER: 4}.get(self, 1)

    @property
    def a_day(self) -> int:
        """How many of them a day has."""
        return 24 * self.parts if self.parts > 1 or self in {Basis.HOUR, Basis.THREE_HOURS} else 1


@dataclass(frozen=True, slots=True, eq=False)
class Periods:
    """The periods of a year so far, in their order; MISSING where one is too incomplete.

    ``month`` (from 0) is that in which each lies, and ``months`` of them are over.
    """

    whole: Ints
    month: Ints
    months: int

    @property
    def known(self) -> Ints:
        """Those that are known."""
        known: Ints = self.whole[self.whole != MISSING]
        return known

    @property
    def capture(self) -> float:
        """The share that is known."""
        return len(self.known) / len(self.whole) if len(self.whole) else 0.0


class Form(Protocol):
    """How a year is compared with a limit."""

    def decisive(self, periods: Periods) -> int | None:
        """Return the number that decides, in whole millionths; some periods are known. None if there is none yet."""

    def allowance(self, periods: int) -> int | None:
        """Return how many of a whole year's periods may lie above the value; None where the form does not count."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """At most ``times`` periods above the value."""

    times: int

    def decisive(self, periods: Periods) -> int | None:
        """Return the highest after those that are allowed; None while there are no more than that."""
        return nth_highest(periods.known, self.times + 1)

    def allowance(self, periods: int) -> int:
        """Return how many may lie above."""
        return self.times


@dataclass(frozen=True, slots=True)
class Ranked:
    """A percentile as one of the values: of n the (n - floor(p · n))-th highest, 40 CFR 50 appendices N, S and T."""

    share: Fraction

    def decisive(self, periods: Periods) -> int | None:
        """Return the value at the percentile."""
        return nth_highest(periods.known, self.allowance(len(periods.known)) + 1)

    def allowance(self, periods: int) -> int:
        """Return how many lie above the percentile."""
        return max(periods - floor(self.share * periods) - 1, 0)


@dataclass(frozen=True, slots=True)
class Interpolated:
    """A percentile between two values, at 1 + (n - 1) · p of n in ascending order: HJ 663-2013, annex A."""

    share: Fraction

    def decisive(self, periods: Periods) -> int | None:
        """Return the value at the percentile, cut off at a millionth."""
        ordered: list[int] = np.sort(periods.known).tolist()
        place = (len(ordered) - 1) * self.share
        below, above = ordered[floor(place)], ordered[ceil(place)]
        return floor(below + (place - floor(place)) * (above - below))

    def allowance(self, periods: int) -> int:
        """Return how many may lie above, whatever the values are."""
        return floor((periods - 1) * (1 - self.share))


@dataclass(frozen=True, slots=True)
class YearMean:
    """The mean of all periods of the year."""

    def decisive(self, periods: Periods) -> int | None:
        """Return the mean, cut off at a millionth."""
        return mean(periods.known)

    def allowance(self, periods: int) -> None:
        """Nothing is counted."""


@dataclass(frozen=True, slots=True)
class QuarterMean:
    """The mean of the means of the year's quarters so far: 40 CFR 50 appendix N."""

    def decisive(self, periods: Periods) -> int | None:
        """Return the mean of those quarters of which something is known."""
        quarter = periods.month // 3
        parts = [mean(periods.whole[(quarter == one) & (periods.whole != MISSING)]) for one in range(4)]
        return mean([part for part in parts if part is not None])

    def allowance(self, periods: int) -> None:
        """Nothing is counted."""


@dataclass(frozen=True, slots=True)
class PeakSeason:
    """The highest mean of six months in a row, within the year, each of them known to three quarters: WHO 2021.

    A season that goes over the turn of the year, as in the south, needs two years and is not seen here.
    """

    months: int = 6
    capture: float = 0.75

    def decisive(self, periods: Periods) -> int | None:
        """Return the mean of the peak season; None before six months are over."""
        starts = range(periods.months - self.months + 1)
        return max((found for one in starts if (found := self._season(periods, one)) is not None), default=None)

    def _season(self, periods: Periods, start: int) -> int | None:
        """Return the mean of the days of a season, None where one of its months is not known well enough."""
        known = periods.whole != MISSING
        months = [periods.month == month for month in range(start, start + self.months)]
        if any(known[month].mean() < self.capture for month in months):
            return None
        return mean(periods.whole[known & np.logical_or.reduce(months)])

    def allowance(self, periods: int) -> None:
        """Nothing is counted."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A value for one parameter, ``kind`` being what the law calls it.

    ``years`` over which the standard averages: what decides, or the periods above the value where they are ``counted``.
    Before the comparison a number is brought to the decimals in which the value is written, unless ``rounding`` says
    otherwise.
    """

    key: str
    parameter: str
    value: Decimal
    amount: Amount
    basis: Basis
    form: Form
    kind: str = "limit value"
    years: int = 1
    counted: bool = False
    rounding: Rounding | None = None

    def brought(self, whole: Ints) -> Ints:
        """Round what is to be compared; MISSING stays so."""
        exponent = self.value.as_tuple().exponent
        usual = Rounding(How.HALF_UP, Decimal(1).scaleb(int(exponent)))
        return np.where(whole == MISSING, MISSING, (self.rounding or usual).fast(whole))


@dataclass(frozen=True, slots=True)
class Formerly:
    """The state of the air that gases were meant at before the day ``until``."""

    until: date
    reference: Reference


@dataclass(frozen=True, slots=True)
class LimitSet:
    """Limits that hold together; ``capture`` of a year must be known, and ``day_needs`` hours of a day.

    ``capture_source`` says where that share is from. A mean of several years needs ``years_needed`` that are known so
    well. Until ``formerly`` gases were meant at another reference.
    """

    name: str
    title: str
    source: str
    limits: tuple[Limit, ...]
    capture: float
    capture_source: str
    day_needs: int = 18
    years_needed: int = 1
    formerly: Formerly | None = None


def mean(whole: Sequence[int] | Ints) -> int | None:
    """Return the mean cut off at a millionth, None of nothing."""
    return int(np.sum(whole)) // len(whole) if len(whole) else None


def nth_highest(known: Ints, place: int) -> int | None:
    """Return the value at a place from the top, 1 being the highest; None where there are fewer."""
    return int(np.sort(known)[-place]) if place <= len(known) else None
