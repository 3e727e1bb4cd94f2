"""The averaging periods of index standards: what is made of the hours up to a moment before a table is looked up.

As tables do, each has an ``exact`` form in decimals for one moment and a ``fast`` one in whole millionths for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Protocol

import numpy as np

from techtrack.airquality import nowcast
from techtrack.airquality.averaging import rolling
from techtrack.airquality.hours import Floats, Hours, Ints, largest

Exact = Sequence[Decimal | None]
_MILLIONTH = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Average:
    """A mean with the share of its hours that are known; None with the reason where they are too few."""

    amount: Decimal | None
    completeness: float
    reason: str = ""


class Period(Protocol):
    """An averaging period; ``hours`` are looked at, and ``label`` names it as people do: ``24 h``."""

    @property
    def hours(self) -> int:
        """How many hours up to the moment it looks at."""

    @property
    def label(self) -> str:
        """Its name."""

    def of(self, hours: Hours) -> Floats:
        """Return what it looks at, one number an hour."""

    def exact(self, hours: Exact) -> Average:
        """Return the mean of ``hours`` values, the latest last."""

    def fast(self, whole: Ints) -> Ints:
        """Return the mean up to each value, MISSING where too few are known."""


def share(hours: Exact) -> float:
    """Return the share of values that are known."""
    return sum(one is not None for one in hours) / len(hours)


def short(hours: Exact, least: int) -> str:
    """Say that too few hours are known."""
    known = sum(one is not None for one in hours)
    return f"{known} of {len(hours)} h are known, {least} are needed"


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean of the latest ``hours``, at least ``least`` of which are known; cut off at a millionth."""

    hours: int
    least: int

    @property
    def label(self) -> str:
        """Its name."""
        return f"{self.hours} h"

    def of(self, hours: Hours) -> Floats:
        """Return the hourly means."""
        return hours.values

    def exact(self, hours: Exact) -> Average:
        """Return the mean of one moment."""
        known = [one for one in hours if one is not None]
        if len(known) < self.least:
            return Average(None, share(hours), short(hours, self.least))
        mean = sum(known, Decimal(0)) / len(known)
        return Average(mean.quantize(_MILLIONTH, ROUND_FLOOR), share(hours))

    def fast(self, whole: Ints) -> Ints:
        """Return the means of all."""
        return rolling(whole, hours=self.hours, least=self.least)


@dataclass(frozen=True, slots=True)
class QuarterHour:
    """The highest mean of 15 minutes in the latest hour."""

    hours: int = 1
    label: str = "15 min"

    def of(self, hours: Hours) -> Floats:
        """Return the highest quarter of each hour; hourly means alone say nothing of their quarters."""
        if hours.quarters is None:
            return np.full(len(hours.values), np.nan)
        return largest(hours.quarters)

    def exact(self, hours: Exact) -> Average:
        """Return the highest quarter of the latest hour."""
        (latest,) = hours
        reason = "" if latest is not None else "no mean of 15 minutes is known of the latest hour"
        return Average(latest, share(hours), reason)

    def fast(self, whole: Ints) -> Ints:
        """Return them as they are."""
        return whole


@dataclass(frozen=True, slots=True)
class DustNowCast:
    """The NowCast of PM2.5 or PM10."""

    hours: int = nowcast.DUST_HOURS
    label: str = "NowCast of 12 h"

    def of(self, hours: Hours) -> Floats:
        """Return the hourly means."""
        return hours.values

    def exact(self, hours: Exact) -> Average:
        """Return the NowCast of one moment."""
        found = nowcast.dust(hours)
        reason = "" if found is not None else short(hours[-nowcast.RECENT :], nowcast.RECENT_NEEDED)
        return Average(found, share(hours), reason)

    def fast(self, whole: Ints) -> Ints:
        """Return the NowCast of all."""
        return nowcast.dust_series(whole)


@dataclass(frozen=True, slots=True)
class OzoneNowCast:
    """The NowCast of ozone, by the surrogate; complete means that one of three hours is known."""

    hours: int = nowcast.OZONE_HOURS
    label: str = "NowCast of 8 h"

    def of(self, hours: Hours) -> Floats:
        """Return the hourly means."""
        return hours.values

    def exact(self, hours: Exact) -> Average:
        """Return the NowCast of one moment."""
        found, _ = nowcast.ozone(hours)
        latest = hours[-nowcast.RECENT :]
        return Average(found, share(latest), "" if found is not None else short(latest, 1))

    def fast(self, whole: Ints) -> Ints:
        """Return the NowCast of all."""
        return nowcast.ozone_series(whole)
