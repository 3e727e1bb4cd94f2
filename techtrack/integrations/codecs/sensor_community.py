"""Bodies of sensor.community's firmware (airRohr): a list of typed values, with or without the names of its parts."""

from __future__ import annotations

from typing import Any, NamedTuple

from techtrack.core.errors import Fault
from techtrack.integrations.domain.codes import code_of
from techtrack.integrations.domain.pushing import BadBody, Gathered, Pushed, number
from techtrack.telemetry.domain.items import parse_time

VALUES = "sensordatavalues"
CHIPS = {"esp8266id": "esp8266-", "esp32id": "esp32-"}
MOST_VALUES = 200
LATEST = 4_102_444_800_000_000  # 2100, in µs
# The parts of a unit whose names the firmware writes in front, where it sends everything in one body.
PARTS = (
    *("SDS", "PMS", "HPM", "NPM", "IPS", "SPS30", "PPD", "BMP280", "BME280", "BMP", "BME", "HTU21D"),
    *("SHT3X", "DHT", "DS18B20", "DNMS", "SCD30", "GPS"),
)
# About the unit and its loop, or where it stands: no measurements of the air.
LEFT_OUT = {"samples", "min_micro", "max_micro", "interval", "lat", "lon", "height", "date", "time", "timestamp"}


class _Meaning(NamedTuple):
    code: str
    unit: str
    divisor: float = 1.0


# P1 is PM10 and P2 is PM2.5: they are numbered by when they were added, not by size. Pressure comes in Pa.
MEANINGS = {
    "P0": _Meaning("pm1", "ug/m3"),
    "P1": _Meaning("pm10", "ug/m3"),
    "P2": _Meaning("pm2_5", "ug/m3"),
    "P4": _Meaning("pm4", "ug/m3"),
    "temperature": _Meaning("temperature", "Cel"),
    "humidity": _Meaning("humidity", "%"),
    "pressure": _Meaning("pressure", "hPa", 100.0),
    "co2_ppm": _Meaning("co2", "[ppm]"),
    "noise_LAeq": _Meaning("noise_laeq", "dB"),
    "noise_LA_min": _Meaning("noise_la_min", "dB"),
    "noise_LA_max": _Meaning("noise_la_max", "dB"),
    "N05": _Meaning("count_0_5", "/cm3"),
    "N1": _Meaning("count_1", "/cm3"),
    "N25": _Meaning("count_2_5", "/cm3"),
    "N4": _Meaning("count_4", "/cm3"),
    "N10": _Meaning("count_10", "/cm3"),
    "TS": _Meaning("particle_size", "um"),
    "signal": _Meaning("signal", "dB[mW]"),
}


def decode(data: Any) -> Pushed:
    """Read a decoded body; a type of value that is not known here keeps its name, as a code.

    Raises:
        BadBody: it has no list of values, or one of them is no number.
    """
    if not isinstance(data, dict):
        raise _bad("", "an object is expected")
    listed = data.get(VALUES)
    if not isinstance(listed, list) or not 1 <= len(listed) <= MOST_VALUES:
        raise _bad(f"/{VALUES}", f"a list of 1 to {MOST_VALUES} values is expected")
    found = Gathered()
    for place, entry in enumerate(listed):
        _take(entry, f"/{VALUES}/{place}", found)
    return Pushed(found.values, found.units, _time(data.get("timestamp")), unit_of(data))


def unit_of(data: Any) -> str:
    """Return the id that a body gives its unit, as the header writes it; empty where it gives none."""
    for name, front in CHIPS.items():
        if isinstance(data, dict) and isinstance(chip := data.get(name), (str, int)):
            return f"{front}{chip}"
    return ""


def _take(entry: Any, pointer: str, found: Gathered) -> None:
    name = entry.get("value_type") if isinstance(entry, dict) else None
    if not isinstance(name, str) or not name:
        raise _bad(f"{pointer}/value_type", "the type of the value is expected")
    part, bare = _parted(name)
    if bare in LEFT_OUT:
        return
    value = number(entry.get("value"), f"{pointer}/value")
    own = code_of(name)
    code, unit, divisor = MEANINGS.get(bare, _Meaning(own, ""))
    if not code:
        raise _bad(f"{pointer}/value_type", "a name with a letter is expected")
    found.put(code, value / divisor, unit, other=f"{part.lower()}_{code}" if part else own)


def _parted(name: str) -> tuple[str, str]:
    """Split ``SDS_P1`` into the part and what it measures."""
    part, separator, bare = name.partition("_")
    return (part, bare) if separator and part in PARTS else ("", name)


def _time(raw: Any) -> int | None:
    if raw is None:
        return None
    try:
        found = parse_time(raw)
    except (TypeError, ValueError, OverflowError):
        raise _bad("/timestamp", "a time with its offset is expected, such as 2026-11-21T10:00:00Z") from None
    if not 0 <= found < LATEST:
        raise _bad("/timestamp", "a time of this century is expected")
    return found


def _bad(pointer: str, detail: str) -> BadBody:
    return BadBody(f"{pointer or 'the body'}: {detail}", faults=[Fault(pointer, BadBody.code, detail)])
