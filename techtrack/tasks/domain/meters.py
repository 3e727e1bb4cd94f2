"""Counts from telemetry how much an asset was used: hours run, cycles, a dose, or what a counter of its own shows.

A tally goes on from where it was, so that each reading is looked at once. What comes late, from before the last reading
that was counted, is not counted any more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from techtrack.core import params
from techtrack.core.clock import MICROSECOND
from techtrack.core.errors import Invalid, member

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Kind = Literal["hours", "cycles", "dose", "counter"]
_HOUR = 3_600_000_000
_DAY = 24 * _HOUR
_JUDGED = {"hours", "cycles"}
LONGEST_CODE = 64
# More in one step is a broken sensor's: no total could count on from there by ones.
_MOST_AT_ONCE = 1e15


class BadMeter(Invalid):
    """A meter that could count nothing."""

    code = "bad_meter"


@dataclass(frozen=True, slots=True)
class Meter:
    """What is counted of a parameter.

    ``hours`` in which it is above ``above``; ``cycles``: how often it comes to be above; ``dose``: its integral over
    hours, in unit x h; ``counter``: it counts by itself, and no faster than ``most_per_day`` where that is given.
    """

    kind: Kind
    parameter: str
    above: float | None = None
    most_per_day: float | None = None

    @classmethod
    def parse(cls, raw: Any, *, pointer: str) -> Meter:
        """Build one of its fields.

        Raises:
            Invalid: with a fault that names the place.
        """
        meter = params.build(cls, raw, pointer=pointer)
        if not 1 <= len(meter.parameter) <= LONGEST_CODE:
            raise BadMeter("the code of a parameter is expected", pointer=member(pointer, "parameter"))
        if (meter.above is None) is (meter.kind in _JUDGED):
            needs = "needs" if meter.kind in _JUDGED else "has no"
            raise BadMeter(f"a meter of {meter.kind} {needs} limit", pointer=member(pointer, "above"))
        if meter.most_per_day is not None and (meter.kind != "counter" or meter.most_per_day <= 0):
            wrong = "this is for a counter, and more than nothing"
            raise BadMeter(wrong, pointer=member(pointer, "most_per_day"))
        return meter


@dataclass(frozen=True, slots=True)
class Tally:
    """``total`` was counted up to the reading at ``time`` (µs) of ``value``; nothing yet where there is none."""

    total: float = 0.0
    time: int | None = None
    value: float = 0.0

    def replaced(self, *, time: int, value: float) -> Tally:
        """Go on from a new counter, which shows ``value``; what was counted stays."""
        return Tally(self.total, time, value)


def count(meter: Meter, *, tally: Tally, times: Ints, values: Floats, holds: timedelta) -> Tally:
    """Count what readings add; ``times`` (µs) ascend, as a series has them.

    A value ``holds`` until the next reading, but not longer: from an asset that fell silent nothing is known. What no
    sensor can mean adds nothing.
    """
    if tally.time is not None:
        fresh = int(np.searchsorted(times, tally.time, "right"))
        times = np.append(np.int64(tally.time), times[fresh:])
        values = np.append(tally.value, values[fresh:])
    if not len(times):
        return tally
    hours = np.minimum(np.diff(times), holds // MICROSECOND) / _HOUR
    with np.errstate(over="ignore"):
        added = _COUNTS[meter.kind](meter, times, values, hours)
    total = tally.total + float(added[added <= _MOST_AT_ONCE].sum())
    return Tally(total, int(times[-1]), float(values[-1]))


# -- What each pair of neighbours adds -------------------------------------------------------------------------


def _hours(meter: Meter, _: Ints, values: Floats, hours: Floats) -> Floats:
    return hours[values[:-1] > (meter.above or 0.0)]


def _cycles(meter: Meter, _: Ints, values: Floats, __: Floats) -> Floats:
    above = (values > (meter.above or 0.0)).astype(np.float64)
    return np.maximum(np.diff(above), 0)


def _dose(_: Meter, __: Ints, values: Floats, hours: Floats) -> Floats:
    # A sensor's noise around zero takes nothing away.
    return np.maximum(values[:-1], 0) * hours


def _advanced(meter: Meter, times: Ints, values: Floats, _: Floats) -> Floats:
    """What a counter advanced; one that falls to less than half began again at zero, one that falls less was mended.

    What it cannot have counted in the time is cut off: another one was put in, and nobody has said so.
    """
    before, after = values[:-1], values[1:]
    advanced = np.where(after >= before, after - before, np.where(after < before / 2, after, 0.0))
    if meter.most_per_day is not None:
        advanced = np.minimum(advanced, np.diff(times) / _DAY * meter.most_per_day)
    return np.maximum(advanced, 0)


_COUNTS: dict[Kind, Callable[[Meter, Ints, Floats, Floats], Floats]] = {
    "hours": _hours,
    "cycles": _cycles,
    "dose": _dose,
    "counter": _advanced,
}
