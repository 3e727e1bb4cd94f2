"""The parameters of air quality: which codes speak of the air, and how complete an hour of them must be."""

from __future__ import annotations

from typing import Final

import numpy as np

from techtrack.airquality.hours import Floats, Ints

DUST: Final = ("pm1", "pm2_5", "pm4", "pm10")
GASES: Final = ("co", "co2", "no", "no2", "o3", "so2", "nh3", "voc")
CLIMATE: Final = ("temperature", "humidity", "pressure")
POLLUTANTS: Final = frozenset({*DUST, *GASES})
# Three quarters of what is expected, as EU, US and UK demand of every mean.
COMPLETE: Final = 0.75
# In any unit: more than air holds, a million parts of a million. A wild number is no mean of anything.
MOST: Final = 1e6


def complete(counts: Ints, means: Floats, *, expected: int | None, width: int) -> Floats:
    """Return the means of stretches of ``width`` µs; NaN where less than three quarters are there, or one is wild.

    ``expected`` is how often (µs) a value comes; where that is not known, one value is a mean.
    """
    least = max(1, -int(-COMPLETE * width // expected)) if expected else 1
    return np.where((counts >= least) & (np.abs(means) <= MOST), means, np.nan)
