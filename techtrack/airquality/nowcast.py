"""The NowCast of the US EPA: what the running mean of dust and of ozone is about to be, from the latest hours.

Dust (2013): the twelve latest hours, each weighted by a power of the ratio of the lowest to the highest, which is a
half at least; hours that are missing are left out of both sums. Source: EPA, "Technical Assistance Document for the
Reporting of Daily Air Quality", and EPA-454/B-13 P100X0J6.

Ozone (2019): where two weeks are complete enough the EPA fits a partial least squares regression; otherwise it takes
the surrogate 0.85 · x + 4.5 ppb of the latest of three hours. Here the surrogate is always taken: the regression has no
published golden numbers. Source: USEPA/O3-Nowcast, GetNowcast.r and NowcastFun_Upd.r (2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal
from enum import IntEnum
from fractions import Fraction
from math import floor
from typing import Final

import numpy as np

from techtrack.airquality.averaging import counts
from techtrack.airquality.hours import MILLION, MISSING, Flags, Floats, Ints

DUST_HOURS: Final = 12
# At least two of the latest three hours must be known; the latest itself may be missing.
RECENT, RECENT_NEEDED = 3, 2
LEAST_WEIGHT: Final = Decimal("0.5")
OZONE_HOURS: Final = 336
# Three quarters of a fortnight, and no gap of more than seven hours: complete enough to believe in zeros.
OZONE_COMPLETE, LONGEST_GAP = 252, 7
SLOPE: Final = Decimal("0.85")
# In ppm, the unit in which ozone is judged.
INTERCEPT: Final = Decimal("0.0045")
_MILLIONTH: Final = Decimal("0.000001")
# How near to a whole number of millionths a float must be to be computed again in fractions, and its own error.
NEAR, ERROR = 0.001, 1e-14


class OzoneMethod(IntEnum):
    """By which rule of the EPA an ozone NowCast came about; its numbers."""

    ZERO = 1
    SURROGATE = 3
    SURROGATE_OF_PREVIOUS = 5
    SURROGATE_OF_TWO_HOURS_AGO = 7
    NONE = 8


_BY_AGE = (OzoneMethod.SURROGATE, OzoneMethod.SURROGATE_OF_PREVIOUS, OzoneMethod.SURROGATE_OF_TWO_HOURS_AGO)


def dust(hours: Sequence[Decimal | None]) -> Decimal | None:
    """Return the NowCast of PM2.5 or PM10 from up to twelve hours, the latest last; None where too few are recent.

    Cut off at a millionth, as means are; the index truncates it to 0.1 (PM2.5) or 1 (PM10).
    """
    latest = hours[-1 : -DUST_HOURS - 1 : -1]
    if sum(one is not None for one in latest[:RECENT]) < RECENT_NEEDED:
        return None
    return Decimal(_exact([None if one is None else Fraction(one) * MILLION for one in latest])) * _MILLIONTH


def _exact(latest: Sequence[Fraction | int | None]) -> int:
    """Return the weighted mean of hours, the latest first, cut off at a whole number."""
    known = [(age, Fraction(one)) for age, one in enumerate(latest) if one is not None]
    lowest, highest = (pick(one for _, one in known) for pick in (min, max))
    # A ratio of decimals has no end: cut off, it would lie below a mean that is a whole number.
    weight = max(lowest / highest, Fraction(LEAST_WEIGHT)) if highest > 0 else Fraction(1)
    total = sum((weight**age * one for age, one in known), Fraction(0))
    return floor(total / sum(weight**age for age, _ in known))


def dust_series(whole: Ints) -> Ints:
    """Return the same for each hour of a series; amounts are whole millionths."""
    values = np.where(whole == MISSING, np.nan, whole.astype(np.float64))
    latest = [_earlier(values, age) for age in range(min(DUST_HOURS, len(values)))]
    lowest, highest = np.full(len(values), np.nan), np.full(len(values), np.nan)
    for hour in latest:
        lowest, highest = np.fmin(lowest, hour), np.fmax(highest, hour)
    weight = np.ones(len(values))
    positive = highest > 0
    weight[positive] = np.maximum(lowest[positive] / highest[positive], float(LEAST_WEIGHT))
    places = np.flatnonzero(counts(whole, hours=RECENT) >= RECENT_NEEDED)
    means, found = _weighted(latest, weight)[places], np.full(len(whole), MISSING)
    found[places] = np.where(lowest[places] == highest[places], lowest[places], np.floor(means))
    # A float does not know on which side of a whole number it lies.
    doubtful = np.abs(means - np.rint(means)) < NEAR + ERROR * np.abs(means)
    doubtful &= lowest[places] != highest[places]
    for place in places[doubtful].tolist():
        back = whole[max(place - DUST_HOURS + 1, 0) : place + 1][::-1].tolist()
        found[place] = _exact([None if one == MISSING else one for one in back])
    return found


def _weighted(latest: Sequence[Floats], weight: Floats) -> Floats:
    """Return the weighted means, NaN where nothing is known; ``latest`` are the values of each age."""
    power, total, norm = np.ones(len(weight)), np.zeros(len(weight)), np.zeros(len(weight))
    for hour in latest:
        known = ~np.isnan(hour)
        total[known] += (power * hour)[known]
        norm[known] += power[known]
        power = power * weight
    means: Floats = np.divide(total, norm, out=np.full(len(weight), np.nan), where=norm > 0)
    return means


def _earlier(values: Floats, age: int) -> Floats:
    return np.concatenate([np.full(age, np.nan), values[: len(values) - age]])


def ozone(hours: Sequence[Decimal | None]) -> tuple[Decimal | None, OzoneMethod]:
    """Return the NowCast of ozone (ppm) from up to 336 hours (ppm), the latest last, and by which rule."""
    latest = [*[None] * (OZONE_HOURS - len(hours)), *hours[-OZONE_HOURS:]]
    if _all_zero(latest):
        return Decimal(0), OzoneMethod.ZERO
    for method, one in zip(_BY_AGE, reversed(latest), strict=False):
        if one is not None:
            return (one * SLOPE + INTERCEPT).quantize(_MILLIONTH, ROUND_FLOOR), method
    return None, OzoneMethod.NONE


def _all_zero(hours: Sequence[Decimal | None]) -> bool:
    known = [one for one in hours if one is not None]
    return len(known) >= OZONE_COMPLETE and not any(known) and _longest_gap(hours) <= LONGEST_GAP


def _longest_gap(hours: Sequence[Decimal | None]) -> int:
    longest = gap = 0
    for one in hours:
        gap = gap + 1 if one is None else 0
        longest = max(longest, gap)
    return longest


def ozone_series(whole: Ints) -> Ints:
    """Return the NowCast of ozone for each hour of a series; amounts are whole millionths of a ppm."""
    return np.where(_zeros(whole), 0, surrogate_series(whole))


def surrogate_series(whole: Ints) -> Ints:
    """Return the same of what may be shorter than a fortnight: nobody asks whether all of that is zero."""
    found = np.full(len(whole), MISSING)
    for age in reversed(range(min(RECENT, len(whole)))):
        before = np.concatenate([np.full(age, MISSING), whole[: len(whole) - age]])
        slope, intercept = int(SLOPE * 100), int(INTERCEPT * 100_000_000)
        found = np.where(before == MISSING, found, (before * slope + intercept) // 100)
    return found


def _zeros(whole: Ints) -> Flags:
    """Tell of each hour whether the fortnight up to it is complete and nothing but zero."""
    # What was before the series is missing.
    padded = np.concatenate([np.full(OZONE_HOURS, MISSING), whole])
    # A gap that is too long is one of eight hours all of which lie in the fortnight.
    gaps = counts(padded, hours=LONGEST_GAP + 1) == 0
    seen = counts(np.where(gaps, 1, MISSING), hours=OZONE_HOURS - LONGEST_GAP)
    more = counts(np.where((padded != 0) & (padded != MISSING), 1, MISSING), hours=OZONE_HOURS)
    complete = counts(padded, hours=OZONE_HOURS) >= OZONE_COMPLETE
    zero: Flags = complete & (seen == 0) & (more == 0)
    return zero[OZONE_HOURS:]
