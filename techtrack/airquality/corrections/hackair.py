"""The correction of hackAIR for an SDS011 in moist air."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from techtrack.airquality.correction import corrections, possible
from techtrack.airquality.hours import Floats

# Growth of the particles with humidity: factor and exponent.
GROWTH: Mapping[str, tuple[float, float]] = MappingProxyType({"pm10": (0.81559, 5.83411), "pm2_5": (0.48756, 8.60068)})


@dataclass(frozen=True, slots=True)
class HackAir:
    """x / (1 + a · (RH / 100)^b): particles swell with humidity, and an optical sensor takes the water for dust.

    The SDS011 is specified up to 70 %; above that the result is better than the raw value, and no more.
    """

    title: str = "SDS011, PM10 and PM2.5, moist air"
    source: str = "hackAIR (Horizon 2020, 688363); opendata-stuttgart/sensors-software, pull request 678"
    parameters: tuple[str, ...] = field(default=tuple(GROWTH))

    def sources(self, parameter: str) -> tuple[str, ...]:
        """Name the parameter itself."""
        return (parameter,)

    def corrected(self, values: Floats, *, parameter: str, humidity: Floats) -> Floats:
        """Return corrected values."""
        swelling, exponent = GROWTH[parameter]
        return values / (1 + swelling * (possible(humidity) / 100) ** exponent)


corrections.register("hackair")(HackAir())
