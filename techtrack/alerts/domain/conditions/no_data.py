"""The condition ``no_data``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from techtrack.alerts.domain.condition import Comparator, Draft, Holds, check_length, conditions
from techtrack.alerts.domain.features.base import SECOND
from techtrack.alerts.domain.features.changes import Gap
from techtrack.core.errors import Invalid

_TIMES = re.compile(r"(\d+(?:\.\d+)?)x\Z")
LEAST_TIMES, MOST_TIMES = 1.0, 1000.0


@conditions.register("no_data")
@dataclass(frozen=True, slots=True, kw_only=True)
class NoData:
    """Holds when nothing has come for ``after``, until something does: a heartbeat.

    ``after`` is a duration, or such as ``3x``: so many times the interval that the asset or its type declares, or
    else the one that is usual for the series. A series that never sent anything is not missed.
    """

    after: str
    parameter: str = ""

    def place(self, draft: Draft) -> Holds:
        """Compare how long nothing came."""
        times = _TIMES.match(self.after)
        if times is None:
            gap = Gap(draft.raw(self.parameter), seconds=_duration(self.after).total_seconds())
        else:
            if not LEAST_TIMES < float(times[1]) <= MOST_TIMES:
                raise Invalid(f"more than one interval is expected, {MOST_TIMES:g} at most", pointer="/after")
            gap = self._of_intervals(float(times[1]), draft)
        return draft.leaf(gap, Comparator(high=0.0), lapse=True)

    def _of_intervals(self, times: float, draft: Draft) -> Gap:
        interval = draft.circumstances.interval
        raw = draft.raw(self.parameter)
        return Gap(raw, seconds=times * interval / SECOND) if interval else Gap(raw, times=times)


def _duration(text: str) -> timedelta:
    try:
        duration = msgspec.convert(text, timedelta)
    except msgspec.ValidationError:
        duration = timedelta(0)
    check_length(duration, pointer="/after")
    if duration <= timedelta(0):
        raise Invalid("a duration such as PT5M, or a number of intervals such as 3x, is expected", pointer="/after")
    return duration
