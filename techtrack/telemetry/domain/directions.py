"""Directions of wind: which parameters are one, the parts by which they are averaged, and their mean.

Between 350° and 10° lies north, where numbers say south. So the store sums up the parts of a direction beside it: how
far east and how far north a wind of strength one comes from. They are series of their own, which nobody asks for by
accident: no code of a parameter has a slash.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from techtrack.telemetry.domain.reading import Floats
from techtrack.telemetry.domain.statistics import Statistics

DIRECTION: Final = "wind_direction"
FULL_CIRCLE: Final = 360.0
_PARTS: Final = {"/east": np.sin, "/north": np.cos}
# Of winds that cancel, sums of binary fractions leave something; of a million winds far less than this each.
_CALM: Final = 1e-6


def is_direction(code: str) -> bool:
    """Tell whether a parameter is a direction, in degrees: ``wind_direction``, or ``wind_direction_10m``."""
    return code == DIRECTION or (code.startswith(DIRECTION + "_") and "/" not in code)


def parts_of(code: str) -> tuple[str, str]:
    """Name the parts of a direction: east, north."""
    east, north = (code + part for part in _PARTS)
    return east, north


def is_part(code: str) -> bool:
    """Tell whether a series is a part of a direction."""
    return "/" in code


def whole(code: str) -> str:
    """Name the parameter that a series is, or is a part of."""
    return code.partition("/")[0]


def with_parts(codes: Iterable[str]) -> list[str]:
    """Return the codes, behind each direction its parts."""
    return [one for code in codes for one in ((code, *parts_of(code)) if is_direction(code) else (code,))]


def resolved(values: Floats, code: str) -> Floats:
    """Return what a series says where its parameter has ``values``: these, or their part."""
    if not is_part(code):
        return values
    part: Floats = _PARTS[code[len(whole(code)) :]](np.radians(values))
    return part


def mean_direction(found: Statistics, east: Statistics, north: Statistics) -> Floats:
    """Return the mean of each stretch in degrees, from 0 up to 360; every wind counts as one, however strong.

    The unit vector mean of EPA-454/R-99-005, section 6.2.2. NaN where nothing is known, where the winds cancel, and
    where the parts do not count the values of ``found``: they were not summed up when the hours were.
    """
    known = (found["count"] > 0) & (east["count"] == found["count"]) & (north["count"] == found["count"])
    count = np.where(known, found["count"], 1)
    x, y = east["total"] / count, north["total"] / count
    # To a millionth of a degree: what is left of 359.9999999999 is 0, not 360.
    degrees = np.round(np.degrees(np.arctan2(x, y)) % FULL_CIRCLE, 6) % FULL_CIRCLE
    return np.where(known & (np.hypot(x, y) >= _CALM), degrees, np.nan)
