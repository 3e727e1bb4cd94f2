"""Where a year will end: the days to come are taken to be like those that were, with a range for how they vary.

The season is not known: in February the days to come are those of winter. The range holds nine tenths of what is
likely, and takes into account that a day resembles the one before it (autocorrelation of lag one).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np

from techtrack.airquality.hours import Floats

# Of fewer days neither a rate nor its variation can be told.
LEAST_DAYS: Final = 30
# Nine tenths of a normal distribution lie within as many standard deviations.
NINE_TENTHS: Final = 1.6449
# Beyond, the variance of a mean is no longer told apart from a trend.
MOST_ALIKE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is expected at the end of the year, and the range in which it lies nine times of ten."""

    low: float
    expected: float
    high: float


def of_count(by_day: Floats, *, rest: int, most: int) -> Forecast | None:
    """Forecast how many exceedances the year will have; None of fewer than 30 known days.

    ``by_day`` are those of the days that are over (NaN: not known), ``most`` how many a day can have.
    """
    known = by_day[~np.isnan(by_day)]
    if len(known) < LEAST_DAYS:
        return None
    used = float(known.sum())
    # Half an exceedance more (Jeffreys): that none was seen yet does not mean that none will come.
    rate = (used + 0.5) / len(known)
    spread = NINE_TENTHS * _spread(by_day, len(known), rest, least=rate)
    expected, top = used + min(rate, most) * rest, used + float(most * rest)
    return Forecast(max(expected - spread, used), expected, min(expected + spread, top))


def of_mean(by_day: Floats, *, mean: float, rest: int) -> Forecast | None:
    """Forecast the mean of the year from that so far; its days tell how they vary. None of fewer than 30 of them."""
    known = int((~np.isnan(by_day)).sum())
    if known < LEAST_DAYS:
        return None
    # What is over counts with all its days, known or not.
    spread = NINE_TENTHS * _spread(by_day, known, rest, least=0.0) / (len(by_day) + rest)
    return Forecast(max(mean - spread, 0.0), mean, mean + spread)


def _spread(by_day: Floats, known: int, rest: int, *, least: float) -> float:
    """Return the standard deviation of the sum of the days to come, the uncertainty of their mean included."""
    alike = min(max(_likeness(by_day), 0.0), MOST_ALIKE)
    variance = float(np.nanvar(by_day, ddof=1)) * (1 + alike) / (1 - alike)
    return sqrt(max(variance, least) * (rest + rest**2 / known))


def _likeness(by_day: Floats) -> float:
    """Return the correlation of days with the day before, 0 where none varies."""
    pairs = np.array([by_day[:-1], by_day[1:]])
    both = pairs[:, ~np.isnan(pairs).any(axis=0)]
    if both.shape[1] < 2 or not both.std(axis=1).all():  # noqa: PLR2004 - one pair has no correlation
        return 0.0
    return float(np.corrcoef(both)[0, 1])
