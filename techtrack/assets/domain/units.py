"""How a unit is written for people."""

from __future__ import annotations

import re

# UCUM codes whose usual sign differs from the code; https://ucum.org, table 4 and following.
SIGNS = {
    "Cel": "°C",
    "[degF]": "°F",
    "K": "K",
    "1": "",
    "[g]": "g",
    "{rpm}": "rpm",
    "/min": "1/min",
    "Ohm": "Ω",
    "deg": "°",
    "GiBy": "GiB",
}
# Dust is given as nothing else: who sends one of these for the first time need not say its unit.
OBVIOUS = {"pm1": "ug/m3", "pm2_5": "ug/m3", "pm4": "ug/m3", "pm10": "ug/m3"}
_MICRO = re.compile(r"\bu(?=[glLmsAVW])")
_POWER = re.compile(r"(?<=[a-z])([23])\b")
_SUPERSCRIPT = {"2": "²", "3": "³"}


def sign(unit: str) -> str:
    """Write a UCUM unit as people do: ``ug/m3`` becomes ``µg/m³``."""
    if unit in SIGNS:
        return SIGNS[unit]
    plain = unit.strip("[]{}") if unit[:1] in "[{" else unit
    return _POWER.sub(lambda found: _SUPERSCRIPT[found[1]], _MICRO.sub("µ", plain))
