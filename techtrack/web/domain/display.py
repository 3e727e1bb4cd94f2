"""How a number and a silence are shown to people."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

_COUNTED = re.compile(r"([^0-9]*)([0-9]{0,18})")

# Nobody trusts a frozen screen: the shortest silence that greys a value out.
PATIENCE = timedelta(seconds=30)
MISSED_INTERVALS = 3


@dataclass(frozen=True, slots=True)
class Measure:
    """A parameter as people know it; ``labels`` names the values of a state (``{"1": "running"}``)."""

    code: str
    label: str
    unit: str = ""
    precision: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def labels_json(self) -> str:
        """The labels for the browser, which shows the values that follow; empty where there are none."""
        return json.dumps(dict(self.labels)) if self.labels else ""

    def show(self, value: float | None) -> str:
        """Write ``value`` without its unit; a dash where there is none."""
        if value is None or not math.isfinite(value):
            return "\N{EN DASH}"
        if (name := self.labels.get(f"{value:g}")) is not None:
            return name
        return f"{value:.{decimals(value) if self.precision is None else self.precision}f}"


def decimals(value: float) -> int:
    """How many decimals show a value to about four figures; static/web/format.js counts in the same way."""
    size = abs(value)
    for limit, places in ((1000, 0), (100, 1), (1, 2)):
        if size >= limit:
            return places
    return 3


def natural(name: str) -> list[tuple[str, int]]:
    """Make a key that sorts names as people count: Machine 2 before Machine 10."""
    return [(text.casefold(), int(digits or 0)) for text, digits in _COUNTED.findall(name)]


def patience(expected: timedelta | None) -> timedelta:
    """How long an asset that reports every ``expected`` may be silent before its values are doubted."""
    return max(PATIENCE, MISSED_INTERVALS * expected) if expected else PATIENCE


def age(at: datetime | None, now: datetime) -> int | None:
    """Whole seconds since ``at``, never negative: a gateway's clock may run ahead of ours."""
    return None if at is None else max(0, int((now - at).total_seconds()))


def in_words(seconds: int) -> str:
    """Write an age in its largest unit: ``45 s``, ``12 min``, ``3 h``, ``9 days``."""
    for size, name in ((172_800, "days"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // (86_400 if name == 'days' else size)} {name}"
    return f"{seconds} s"
