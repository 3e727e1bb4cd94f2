"""The correction of EPA (2021) for sensors with a Plantower, which holds in wildfire smoke as well."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from techtrack.airquality.correction import corrections, possible, with_standard
from techtrack.airquality.hours import Floats

# Where one formula goes over into the next, µg/m³.
LOW, MIDDLE, HIGH, SMOKE = 30, 50, 210, 260


@dataclass(frozen=True, slots=True)
class FiveSegments:
    """Five formulas by the raw value, each of which goes over into the next; never below zero.

    Zero is corrected as any other value (1.44 at 50 %), where AirGradient's firmware leaves it at zero.
    """

    title: str = "Plantower sensors, PM2.5 (cf_1), up to wildfire smoke"
    source: str = "US EPA, AirNow Fire and Smoke Map: extended US-wide correction for PurpleAir (2021)"
    parameters: tuple[str, ...] = ("pm2_5",)

    def sources(self, parameter: str) -> tuple[str, ...]:
        """Name what it was fitted to, and what it takes where the sensor does not send that."""
        return with_standard(parameter)

    def corrected(self, values: Floats, *, parameter: str, humidity: Floats) -> Floats:
        """Return corrected values."""
        wet = 0.0862 * possible(humidity)
        # Divided as fractions: code that was copied into whole numbers makes 3 / 2 a 1, and 32.88 of 27.64.
        into_middle = np.clip(values / 20 - 3 / 2, 0, 1)
        into_smoke = np.clip(values / 50 - 21 / 5, 0, 1)
        below = (0.786 * into_middle + 0.524 * (1 - into_middle)) * values - wet + 5.75
        smoke = 2.966 + 0.69 * values + 8.84e-4 * values**2
        # Of humidity and intercept as much is left as there is no smoke.
        between = (0.69 * into_smoke + 0.786 * (1 - into_smoke)) * values + (5.75 - wet) * (1 - into_smoke)
        between += 2.966 * into_smoke + 8.84e-4 * values**2 * into_smoke
        found = np.where(values < HIGH, below, np.where(values < SMOKE, between, smoke))
        return np.maximum(np.where(np.isnan(wet), np.nan, found), 0.0)


corrections.register("epa_2021")(FiveSegments())
