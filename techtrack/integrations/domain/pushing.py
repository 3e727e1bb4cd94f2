"""What a unit's own firmware pushes, once its body is understood; and what may be wrong with the body."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from techtrack.core.errors import Fault, Invalid

# Bodies of the firmwares known here have up to 2 KB.
LONGEST_BODY = 16_384


class BadBody(Invalid):
    """The body is not one that this firmware sends; the fault says where."""

    code = "bad_body"


@dataclass(frozen=True, slots=True)
class Pushed:
    """Values by parameter code, the unit (UCUM) of each, and what else the body says.

    ``time`` is µs since 1970, None where the moment of arrival is meant; ``unit_id`` is empty where the body names no
    unit.
    """

    values: Mapping[str, float]
    units: Mapping[str, str]
    time: int | None = None
    unit_id: str = ""


@dataclass(slots=True)
class Gathered:
    """Values as they are found in a body."""

    values: dict[str, float] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)

    def put(self, code: str, value: float, unit: str, *, other: str) -> None:
        """Take a value under ``code``; where that is taken, by another part of the unit, under ``other``."""
        name = code if code not in self.values else other
        if name not in self.values:
            self.values[name], self.units[name] = value, unit


def number(raw: Any, pointer: str) -> float:
    """Read a number, written as one or as text.

    Raises:
        BadBody: it is none, or not finite.
    """
    try:
        value = float(raw) if isinstance(raw, (int, float, str)) and not isinstance(raw, bool) else math.nan
    except (ValueError, OverflowError):
        value = math.nan
    if not math.isfinite(value):
        detail = "a number is expected"
        raise BadBody(f"{pointer}: {detail}", faults=[Fault(pointer, "not_a_number", detail)])
    return value


# How many of the first unit one of them is, for what is measured by a ratio scale.
_SCALES = (
    {"Pa": 1.0, "hPa": 100.0, "mbar": 100.0, "kPa": 1000.0, "bar": 100_000.0},
    {"ug/m3": 1.0, "mg/m3": 1000.0},
    {"[ppb]": 1.0, "[ppm]": 1000.0},
    {"um": 1.0, "mm": 1000.0},
)
# A temperature in °C by what it is written in: (value - zero) * step.
_DEGREES = {"Cel": (0.0, 1.0), "K": (273.15, 1.0), "[degF]": (32.0, 5 / 9)}


def converted(value: float, *, have: str, want: str) -> float | None:
    """Return ``value`` in the unit ``want``, None where that is a unit of something else."""
    if have == want:
        return value
    for scale in _SCALES:
        if have in scale and want in scale:
            # One division: 101325 Pa are 1013.25 hPa, and not 1013.2500000000001.
            return value * scale[have] / scale[want]
    if have in _DEGREES and want in _DEGREES:
        (zero, step), (other_zero, other_step) = _DEGREES[have], _DEGREES[want]
        return (value - zero) * step / other_step + other_zero
    return None
