"""The slope of a series that a few wild values do not bend, how sure it is, and when it meets a limit.

Theil-Sen: the median of the slopes between all pairs of points (Sen 1968), with the interval that Kendall's rank
test gives it. Points are averages of equal stretches, so that a year costs no more than a day.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from techtrack.telemetry.domain.reading import Floats, Ints

HOUR = 3_600_000_000
FEWEST = 8  # points below which an interval says nothing


@dataclass(frozen=True, slots=True)
class Trend:
    """A line through ``centre`` (µs; value ``level`` there) with a slope per hour and the interval around it."""

    slope: float
    low: float
    high: float
    centre: int
    level: float
    spread: float
    points: int

    def at(self, time: int) -> tuple[float, float, float]:
        """Return (value, low, high) of the line at a time: the slope's interval, and the scatter of the points."""
        hours = (time - self.centre) / HOUR
        ends = (self.level + self.low * hours, self.level + self.high * hours)
        return self.level + self.slope * hours, min(ends) - self.spread, max(ends) + self.spread

    def reaches(self, limit: float, slope: float) -> int | None:
        """Return when a line of ``slope`` through the centre meets ``limit``, None where it never does."""
        if not slope:
            return None
        at = self.centre + (limit - self.level) / slope * HOUR
        return int(at) if abs(at) < 2**62 else None


def theil_sen(times: Ints, values: Floats, *, confidence: float) -> Trend | None:
    """Fit a line to points (times in µs, ascending, unique); None where they are too few."""
    count = len(times)
    if count < FEWEST:
        return None
    centre = int(np.median(times))
    hours = (times - centre) / HOUR
    left, right = np.triu_indices(count, 1)
    slopes = np.sort((values[right] - values[left]) / (hours[right] - hours[left]))
    slope = float(np.median(slopes))
    low, high = _interval(slopes, values, confidence)
    rests = values - slope * hours
    level = float(np.median(rests))
    quantile = NormalDist().inv_cdf(0.5 + confidence / 2)
    # The median distance is 0.6745 standard deviations where the scatter is normal, and bent by few outliers.
    spread = float(np.median(np.abs(rests - level))) / NormalDist().inv_cdf(0.75) * quantile
    return Trend(slope, low, high, centre, level, spread, count)


def _interval(slopes: Floats, values: Floats, confidence: float) -> tuple[float, float]:
    count = len(values)
    ties = np.unique(values, return_counts=True)[1]
    variance = (count * (count - 1) * (2 * count + 5) - float((ties * (ties - 1) * (2 * ties + 5)).sum())) / 18
    reach = NormalDist().inv_cdf(0.5 + confidence / 2) * np.sqrt(variance)
    low = max(int((len(slopes) - reach) / 2) - 1, 0)
    high = min(int(np.ceil((len(slopes) + reach) / 2)), len(slopes) - 1)
    return float(slopes[low]), float(slopes[high])
