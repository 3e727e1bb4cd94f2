"""What stands where no reading came: nothing, null, the value before, or a line to the value behind."""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from techtrack.telemetry.domain.reading import Floats, Ints


class Fill(StrEnum):
    """What is told of a bucket without values."""

    NONE = "none"
    NULL = "null"
    PREVIOUS = "previous"
    LINEAR = "linear"


def filled(values: Floats, starts: Ints, fill: Fill, before: float = np.nan, *, period: float | None = None) -> Floats:
    """Fill the NaN of one column of all buckets (``starts`` in µs, ascending); ``before`` is what came ahead of them.

    A line is drawn only between two values: ahead of the first and behind the last one nothing is known. Where values
    come round again after a ``period``, as directions do, it takes the shorter way.
    """
    known = np.flatnonzero(~np.isnan(values))
    if fill in {Fill.NONE, Fill.NULL}:
        return values
    if fill is Fill.LINEAR:
        if not len(known):
            return values
        ends = values[known] if period is None else np.unwrap(values[known], period=period)
        line = np.interp(starts, starts[known], ends, left=np.nan, right=np.nan)
        line = line if period is None else line % period
        return np.where(np.isnan(values), line, values)
    newest = np.maximum.accumulate(np.where(np.isnan(values), -1, np.arange(len(values))))
    return np.where(newest >= 0, values[newest], before)
