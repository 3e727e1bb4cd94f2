"""The parameters of air quality: which codes speak of the air, and how complete an hour of them must be."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from techtrack.airquality.hours import Floats, Ints

DUST: Final = ("pm1", "pm2_5", "pm4", "pm10")
GASES: Final = ("co", "co2", "no", "no2", "o3", "so2", "nh3", "voc")
CLIMATE: Final = ("temperature", "humidity", "pressure")
POLLUTANTS: Final = frozenset({*DUST, *GASES})
# Three quarters of what is expected, as EU, US and UK demand of every mean.
COMPLETE: Final = 0.75
# In any unit: more than air holds, a million parts of a million. A wild number is no mean of anything.
MOST: Final = 1e6


# By how many hours it is told how often a sensor sends that does not declare it: within a day one sees it change.
PACED_BY: Final = 24
_DAY = 24 * 3_600_000_000
_UNKNOWN = np.iinfo(np.int64).max


def complete(counts: Ints, means: Floats, *, expected: Ints, width: int) -> Floats:
    """Return the means of stretches of ``width`` µs; NaN where less than three quarters are there, or one is wild.

    ``expected`` is how often (µs) a value comes in each; where that is 0, since nobody knows it, no mean is complete.
    """
    least = np.maximum(np.ceil(COMPLETE * width / np.maximum(expected, 1)), 1)
    return np.where((expected > 0) & (counts >= least) & (np.abs(means) <= MOST), means, np.nan)


def pace(spacings: Ints) -> Ints:
    """Tell how often (µs) values come, hour by hour, by how far apart they lay in each; 0 where that is not known.

    The median over a day of hours, the lower of two: it stays what it was through an hour that lacks values, and
    follows a sensor that is set to another interval. Hours in which nothing tells it have the last that did, and those
    ahead of all the first: what tells it may come later. That values lie more than a day apart tells nothing.
    """
    told = np.where((spacings > 0) & (spacings <= _DAY), spacings, _UNKNOWN)
    some = np.sort(sliding_window_view(np.pad(told, (PACED_BY - 1, 0), constant_values=_UNKNOWN), PACED_BY), axis=1)
    count = (some < _UNKNOWN).sum(axis=1)
    median = np.take_along_axis(some, np.maximum(count - 1, 0)[:, None] // 2, axis=1)[:, 0]
    known = np.flatnonzero(count)
    if not len(known):
        return np.zeros(len(spacings), np.int64)
    newest = np.maximum.accumulate(np.where(count > 0, np.arange(len(count)), known[0]))
    found: Ints = median[newest]
    return found
