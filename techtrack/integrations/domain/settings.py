"""What AirGradient's units may be told when they ask for their settings, and which values they take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from techtrack.core.errors import Fault, Invalid, member


class BadSettings(Invalid):
    """A setting that the firmware does not know, or would not take; the faults name them."""

    code = "bad_settings"


def _one_of(*words: str) -> tuple[Callable[[Any], bool], str]:
    return lambda raw: isinstance(raw, str) and raw in words, f"one of {', '.join(words)}"


def _whole(low: int, high: int) -> tuple[Callable[[Any], bool], str]:
    return lambda raw: type(raw) is int and low <= raw <= high, f"a whole number from {low} to {high}"


_FLAG: tuple[Callable[[Any], bool], str] = (lambda raw: isinstance(raw, bool), "true or false")
# As the firmware's document of its local server lists them; where it looks at one that is wrong, it takes none at all.
KNOWN: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "country": (lambda raw: isinstance(raw, str) and len(raw) == 2 and raw.isalpha(), "two letters (ISO 3166)"),  # noqa: PLR2004
    "pmStandard": _one_of("ugm3", "us-aqi"),
    "ledBarMode": _one_of("co2", "pm", "off"),
    "temperatureUnit": _one_of("c", "f"),
    "displayBrightness": _whole(0, 100),
    "ledBarBrightness": _whole(0, 100),
    "abcDays": _whole(0, 200),
    "tvocLearningOffset": _whole(0, 720),
    "noxLearningOffset": _whole(0, 720),
    "co2CalibrationRequested": _FLAG,
    "ledBarTestRequested": _FLAG,
    "monitorDisplayCompensatedValues": _FLAG,
    "postDataToAirGradient": _FLAG,
}


def check_settings(settings: Mapping[str, Any], *, pointer: str = "/settings") -> None:
    """Pass settings that the firmware takes.

    Raises:
        BadSettings: one is not known, or has a value that the firmware would refuse.
    """
    faults = []
    for name, value in settings.items():
        if name not in KNOWN:
            detail = f"the firmware knows no such setting; it knows {', '.join(KNOWN)}"
            faults.append(Fault(member(pointer, name[:80]), "unknown_setting", detail))
        elif not KNOWN[name][0](value):
            faults.append(Fault(member(pointer, name), "invalid", f"{KNOWN[name][1]} is expected"))
    if faults:
        raise BadSettings("; ".join(fault.detail for fault in faults[:3]), faults=faults[:100])
