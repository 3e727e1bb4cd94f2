"""Bodies of AirGradient's firmware (ONE and Open Air): an object of measures, two of them where it has two channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from techtrack.core.errors import Fault, member
from techtrack.integrations.domain.codes import code_of
from techtrack.integrations.domain.pushing import BadBody, Gathered, Pushed, number

PM, COUNT = "ug/m3", "/dL"
# The firmware's names: code and unit. pm02 is PM2.5; "Standard" is CF=1, as the corrections of EPA want it.
MEANINGS = {
    "pm01": ("pm1", PM),
    "pm02": ("pm2_5", PM),
    "pm10": ("pm10", PM),
    "pm02Compensated": ("pm2_5_compensated", PM),
    "pm01Standard": ("pm1_standard", PM),
    "pm02Standard": ("pm2_5_standard", PM),
    "pm10Standard": ("pm10_standard", PM),
    "pm003Count": ("count_0_3", COUNT),
    "pm005Count": ("count_0_5", COUNT),
    "pm01Count": ("count_1", COUNT),
    "pm02Count": ("count_2_5", COUNT),
    "pm50Count": ("count_5", COUNT),
    "pm10Count": ("count_10", COUNT),
    "rco2": ("co2", "[ppm]"),
    "atmp": ("temperature", "Cel"),
    "atmpCompensated": ("temperature_compensated", "Cel"),
    "rhum": ("humidity", "%"),
    "rhumCompensated": ("humidity_compensated", "%"),
    "tvocIndex": ("voc_index", ""),
    "tvocRaw": ("voc_raw", ""),
    "tvoc_raw": ("voc_raw", ""),
    "noxIndex": ("nox_index", ""),
    "noxRaw": ("nox_raw", ""),
    "nox_raw": ("nox_raw", ""),
    "wifi": ("signal", "dB[mW]"),
    "boot": ("boot", ""),
}
# The same number under an older name.
LEFT_OUT = {"bootCount"}
CHANNELS = {"1": "a", "2": "b"}
MOST_MEASURES = 200


def decode(data: Any) -> Pushed:
    """Read a decoded body; just after boot it has no measures, which is no fault. Texts and settings are left out.

    Raises:
        BadBody: it is no object, or a measure is no number.
    """
    if not isinstance(data, dict) or len(data) > MOST_MEASURES:
        raise BadBody("the body: an object of measures is expected", pointer="")
    found = Gathered()
    _take(data, "", found, suffix="")
    channels = data.get("channels")
    if channels is not None:
        for name, channel in _object(channels, "/channels").items():
            suffix = CHANNELS.get(name) or code_of(name)
            _take(_object(channel, member("/channels", name)), member("/channels", name), found, suffix=f"_{suffix}")
    return Pushed(found.values, found.units, None, unit_of(data))


def unit_of(data: Any) -> str:
    """Return the serial number that a body names, empty where it names none."""
    serial = data.get("serialno") if isinstance(data, dict) else None
    return serial if isinstance(serial, str) else ""


def _take(data: Mapping[str, Any], pointer: str, found: Gathered, *, suffix: str) -> None:
    for name, raw in data.items():
        known = name in MEANINGS
        # A switch that is on, or a text such as the model's name, measures nothing.
        if name in LEFT_OUT or raw is None or not (known or _is_number(raw)):
            continue
        code, unit = MEANINGS.get(name) or (code_of(name), "")
        if code:
            found.put(f"{code}{suffix}", number(raw, member(pointer, name)), unit, other=f"{code_of(name)}{suffix}")


def _is_number(raw: Any) -> bool:
    return isinstance(raw, (int, float)) and not isinstance(raw, bool)


def _object(raw: Any, pointer: str) -> Mapping[str, Any]:
    if not isinstance(raw, dict):
        detail = "an object is expected"
        raise BadBody(f"{pointer}: {detail}", faults=[Fault(pointer, BadBody.code, detail)])
    return raw
