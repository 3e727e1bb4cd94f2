"""OpenAQ's names for what is measured and for stretches of time, and its shapes that need nothing but numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from techtrack.assets.domain.units import sign
from techtrack.telemetry.domain.windows import HOUR, Interval, Unit

EARTH = 6_371_008.8  # metres, the mean radius
OWN_PARAMETERS = 1_000_000
MASS, RATIO, SMALL_RATIO = "µg/m³", "ppm", "ppb"
METEOROLOGICAL = {"temperature", "relativehumidity", "pressure", "wind_speed", "wind_direction"}


@dataclass(frozen=True, slots=True)
class Measurand:
    """A parameter in one unit, as OpenAQ has it: two units are two of them."""

    id: int
    name: str
    units: str
    display: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Write it."""
        return {"id": self.id, "name": self.name, "units": self.units, "displayName": self.display}

    @property
    def kind(self) -> str:
        """``pollutant`` or ``meteorological``."""
        return "meteorological" if self.name in METEOROLOGICAL else "pollutant"


# Ids of OpenAQ's own list of measurands, by our code and unit.
KNOWN = {
    ("pm10", "ug/m3"): Measurand(1, "pm10", MASS, "PM10"),
    ("pm2_5", "ug/m3"): Measurand(2, "pm25", MASS, "PM2.5"),
    ("o3", "ug/m3"): Measurand(3, "o3", MASS, "O₃ mass"),
    ("co", "ug/m3"): Measurand(4, "co", MASS, "CO mass"),
    ("no2", "ug/m3"): Measurand(5, "no2", MASS, "NO₂ mass"),
    ("so2", "ug/m3"): Measurand(6, "so2", MASS, "SO₂ mass"),
    ("no2", "[ppm]"): Measurand(7, "no2", RATIO, "NO₂"),
    ("co", "[ppm]"): Measurand(8, "co", RATIO, "CO"),
    ("so2", "[ppm]"): Measurand(9, "so2", RATIO, "SO₂"),
    ("o3", "[ppm]"): Measurand(10, "o3", RATIO, "O₃"),
    ("no2", "[ppb]"): Measurand(15, "no2", SMALL_RATIO),
    ("pm1", "ug/m3"): Measurand(19, "pm1", MASS, "PM1"),
    ("co2", "[ppm]"): Measurand(21, "co2", RATIO, "CO₂"),
    ("wind_direction", "deg"): Measurand(22, "wind_direction", "deg"),
    ("no", "[ppb]"): Measurand(24, "no", SMALL_RATIO),
    ("o3", "[ppb]"): Measurand(32, "o3", SMALL_RATIO),
    ("wind_speed", "m/s"): Measurand(34, "wind_speed", "m/s"),
    ("no", "[ppm]"): Measurand(35, "no", RATIO, "NO"),
    ("pressure", "hPa"): Measurand(95, "pressure", "hpa"),
    ("humidity", "%"): Measurand(98, "relativehumidity", "%"),
    ("temperature", "Cel"): Measurand(100, "temperature", "c"),
    ("so2", "[ppb]"): Measurand(101, "so2", SMALL_RATIO),
    ("co", "[ppb]"): Measurand(102, "co", SMALL_RATIO),
    ("no", "ug/m3"): Measurand(19843, "no", MASS, "NO mass"),
    ("pm4", "ug/m3"): Measurand(19844, "pm4", MASS),
}


def measurand(code: str, unit: str, own: int) -> Measurand:
    """Return what OpenAQ calls a parameter; ``own`` is our number of one that it does not list."""
    return KNOWN.get((code, unit)) or Measurand(OWN_PARAMETERS + own, code, sign(unit))


@dataclass(frozen=True, slots=True)
class Rollup:
    """A stretch of time by which measurements are gathered: how it is called, how long it is said to be."""

    label: str
    length: str
    interval: Interval


HOURS = Rollup("1hour", "01:00:00", Interval(HOUR))
DAYS = Rollup("1day", "24:00:00", Interval(1, Unit.DAY))
MONTHS = Rollup("1month", "1 mon", Interval(1, Unit.MONTH))
YEARS = Rollup("1year", "1 year", Interval(1, Unit.YEAR))


def moment(micros: int, zone: ZoneInfo) -> dict[str, str]:
    """Write a time (µs) as UTC and as the clocks of the place show it."""
    at = datetime.fromtimestamp(micros // 1_000_000, UTC)
    return {"utc": at.isoformat().replace("+00:00", "Z"), "local": at.astimezone(zone).isoformat()}


def clock_length(micros: int) -> str:
    """Write a length of time as ``01:00:00``."""
    seconds = round(timedelta(microseconds=micros).total_seconds())
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def distance(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Return how many metres two places (latitude, longitude in degrees) are apart, on a sphere."""
    (lat, lon), (lat2, lon2) = (tuple(map(math.radians, place)) for place in (one, other))
    half = math.sin((lat2 - lat) / 2) ** 2 + math.cos(lat) * math.cos(lat2) * math.sin((lon2 - lon) / 2) ** 2
    return 2 * EARTH * math.asin(math.sqrt(min(half, 1.0)))


def coverage(*, observed: int, length: int, expected: int | None, told: Mapping[str, Any]) -> dict[str, Any]:
    """Say how much of a stretch of ``length`` µs was measured, where a value is expected every ``expected`` µs.

    ``told`` are its ends. Where nothing is known to be expected, what came is.
    """
    wanted = max(round(length / expected), 1) if expected else max(observed, 1)
    share = min(100.0, round(100 * observed / wanted, 1))
    return {
        "expectedCount": wanted,
        "expectedInterval": clock_length(length),
        "observedCount": observed,
        "observedInterval": clock_length(min(observed * expected, length) if expected else length),
        "percentComplete": share,
        "percentCoverage": share,
        **told,
    }
