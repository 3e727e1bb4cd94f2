"""Buckets of a series: count, average, minimum and maximum over equal stretches of time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from techtrack.telemetry.domain.reading import Floats, Ints

SECOND = 1_000_000
# The widths a person would choose; an automatic interval is one of them.
NICE_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)


@dataclass(frozen=True, slots=True)
class Buckets:
    """Statistics per bucket that has readings; ``starts`` are µs, ascending."""

    starts: Ints
    count: Ints
    average: Floats
    minimum: Floats
    maximum: Floats


def bucketed(times: Ints, values: Floats, *, width: int) -> Buckets:
    """Put a series (times ascending, µs) into buckets ``width`` µs wide, aligned to 1970 UTC."""
    if not len(times):
        none, nothing = np.empty(0, np.int64), np.empty(0)
        return Buckets(none, none, nothing, nothing, nothing)
    numbers = times // width
    first = np.flatnonzero(np.diff(numbers, prepend=numbers[0] - 1))
    count = np.diff(first, append=len(times))
    low = np.minimum.reduceat(values, first)
    # The mean of the distances from the minimum cannot overflow where the sum of the values could.
    average = low + np.add.reduceat((values - np.repeat(low, count)) / np.repeat(count, count), first)
    return Buckets(numbers[first] * width, count, average, low, np.maximum.reduceat(values, first))


def nice_interval(span: timedelta, *, points: int) -> timedelta:
    """Return the narrowest usual interval that cuts ``span`` into ``points`` buckets at most."""
    wanted = max(span.total_seconds(), 1) / points
    for seconds in NICE_SECONDS:
        if seconds >= wanted:
            return timedelta(seconds=seconds)
    days = -(-wanted // NICE_SECONDS[-1])
    return timedelta(days=days)
