"""The US-wide correction of PurpleAir's PM2.5 by Barkjohn and others (2021)."""

from __future__ import annotations

from dataclasses import dataclass

from techtrack.airquality.correction import corrections, possible, with_standard
from techtrack.airquality.hours import Floats


@dataclass(frozen=True, slots=True)
class Barkjohn:
    """PM2.5 = 0.524 · x - 0.0862 · RH + 5.75, where x is the mean of both channels' ``cf_1``.

    The numbers of the paper, which the Fire and Smoke Map uses; EPA's sensortoolkit has those of the preprint (0.0852
    and 5.72). What comes out below zero stays: to cut it off would raise the means of clean air.
    """

    title: str = "PurpleAir, PM2.5 (cf_1), US-wide"
    source: str = "Barkjohn et al. (2021), Atmos. Meas. Tech. 14:4617-4637, equation 7"
    parameters: tuple[str, ...] = ("pm2_5",)

    def sources(self, parameter: str) -> tuple[str, ...]:
        """Name what it was fitted to, and what it takes where the sensor does not send that."""
        return with_standard(parameter)

    def corrected(self, values: Floats, *, parameter: str, humidity: Floats) -> Floats:
        """Return corrected values."""
        return 0.524 * values - 0.0862 * possible(humidity) + 5.75


corrections.register("barkjohn_2021")(Barkjohn())
