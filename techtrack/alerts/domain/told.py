"""A rule as it travels, on the wire, in revisions, packs and files, and the columns in which it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from techtrack.core.clock import read_duration
from techtrack.core.errors import Invalid

DELAYS = ("on_delay", "off_delay", "reraise_window")
TOLD_AS_KEPT = (
    "name",
    "parameter",
    "aggregate",
    "conditions",
    "deadband",
    "count",
    "no_data",
    "schedule",
    "latched",
    "inhibited_by",
    "escalation",
    "open_task",
    "guidance",
    "enabled",
)


def columns(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of a rule that was told as ``Rule.definition`` tells it, its scope left out.

    Raises:
        Invalid: it names what no rule has, or a duration is none.

    """
    given: dict[str, Any] = {}
    for name, value in told.items():
        if name in DELAYS:
            given[name] = duration_of(value, f"/{name}")
        elif name == "late_data":
            given["late_max_age"] = duration_of(value["max_age"], "/late_data/max_age")
        elif name in TOLD_AS_KEPT:
            given[name] = value
        else:
            raise Invalid("this field is not known here", pointer=f"/{name}")
    return given


def duration_of(text: Any, pointer: str) -> timedelta:
    """Read a duration as rules tell it; raises Invalid."""
    duration = read_duration(text) if isinstance(text, str) else None
    if duration is None:
        raise Invalid("a duration such as PT5M is expected", pointer=pointer)
    return duration
