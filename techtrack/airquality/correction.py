"""What a correction of a low-cost sensor is; the caller keeps the raw value beside the corrected one."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from techtrack.airquality.hours import Floats
from techtrack.core.registry import Registry


class Correction(Protocol):
    """Corrects dust (µg/m³) by the relative humidity (%)."""

    @property
    def title(self) -> str:
        """What it is for."""

    @property
    def source(self) -> str:
        """Where its numbers are from."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """What it corrects."""

    def sources(self, parameter: str) -> tuple[str, ...]:
        """Name what it computes a parameter of, the best first: of each hour the first that is known."""

    def corrected(self, values: Floats, *, parameter: str, humidity: Floats) -> Floats:
        """Return corrected values of a source; NaN where the value or the humidity is not known."""


def with_standard(parameter: str) -> tuple[str, ...]:
    """Name the sources of a correction that was fitted to what a Plantower computes for the factory's dust (CF=1).

    A sensor that tells nothing of the kind has what it computes for the atmosphere, which is less above 30 µg/m³.
    """
    return f"{parameter}_standard", parameter


corrections: Registry[Correction] = Registry("correction", package="techtrack.airquality.corrections")


def possible(humidity: Floats) -> Floats:
    """Return relative humidity as it can be: cheap sensors say 101 or -1."""
    return np.clip(humidity, 0.0, 100.0)
