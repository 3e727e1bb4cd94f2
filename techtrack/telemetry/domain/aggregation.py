"""What a bucket says: each statistic by its name, from merged statistics or from the raw values of the bucket."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from techtrack.telemetry.domain.reading import Floats, Ints
from techtrack.telemetry.domain.statistics import SECOND, Statistics

COMPLETENESS = "completeness"
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,2})?)", re.ASCII)


def average(found: Statistics) -> Floats:
    """Return the arithmetic mean of the values; it lies between the extremes, whatever rounding says."""
    with np.errstate(all="ignore"):
        mean: Floats = np.clip(found["total"] / found["count"], found["minimum"], found["maximum"])
    return mean


def deviation(found: Statistics) -> Floats:
    """Return the sample standard deviation; one value has none."""
    return np.sqrt(found["m2"] / np.where(found["count"] > 1, found["count"] - 1.0, np.nan))


def weighted(found: Statistics) -> Floats:
    """Return the time-weighted average: each value holds until the next reading, from the first to the last one.

    Of a single reading, which holds for no time, it is the value.
    """
    seconds = (found["last_at"] - found["first_at"]) / SECOND
    with np.errstate(divide="ignore"):
        mean = np.where(seconds > 0, found["integral"] / seconds, found["first"])
    return np.clip(mean, found["minimum"], found["maximum"])


BY_NAME: dict[str, Callable[[Statistics], Floats]] = {
    "avg": average,
    "min": lambda found: found["minimum"],
    "max": lambda found: found["maximum"],
    "sum": lambda found: found["total"],
    "first": lambda found: found["first"],
    "last": lambda found: found["last"],
    "delta": lambda found: found["last"] - found["first"],
    "stddev": deviation,
    "twa": weighted,
}


def statistic(name: str, found: Statistics) -> Floats:
    """Return one statistic of each stretch: NaN where there is none, or where it does not fit 64 bits."""
    with np.errstate(all="ignore"):
        values = BY_NAME[name](found).astype(np.float64)
    good = (found["count"] > 0) & np.isfinite(values)
    return values if good.all() else np.where(good, values, np.nan)


def spacing(found: Statistics) -> Ints:
    """Return how far apart (µs) the values of each stretch lay, on average; 0 where nothing tells.

    A value that is alone tells it by its distance from the one before, wherever that was.
    """
    there = np.flatnonzero(found["count"])
    some = found[there]
    count, first, last = (some[name] for name in ("count", "first_at", "last_at"))
    alone = np.diff(last, prepend=last[:1])
    apart = np.zeros(len(found), np.int64)
    apart[there] = np.where(count > 1, (last - first) // np.maximum(count - 1, 1), alone)
    return apart


def percentile_of(name: str) -> float | None:
    """Return the share (0 to 1) that ``p95`` or ``p99.9`` asks for, None for another name."""
    match = _PERCENTILE.fullmatch(name)
    return float(match[1]) / 100 if match else None


def percentiles(values: Floats, starts: Ints, shares: list[float]) -> list[Floats]:
    """Return for each share the percentile of each stretch of ``values``, cut before each index of ``starts``.

    Between two values it is interpolated linearly (Hyndman and Fan, type 7). No stretch is empty.
    """
    counts = np.diff(np.append(starts, len(values)))
    ordered = values[np.lexsort((values, np.repeat(np.arange(len(starts)), counts)))]
    found = []
    for share in shares:
        place = share * (counts - 1)
        low = np.floor(place).astype(np.int64)
        weight = place - low
        below, above = ordered[starts + low], ordered[starts + np.minimum(low + 1, counts - 1)]
        # Weighted rather than stepped from below: the distance of two values may overflow.
        found.append(below * (1 - weight) + above * weight)
    return found


def completeness(counts: Ints, lengths: Ints, expected: int | None) -> Floats:
    """Return which share of the values expected every ``expected`` µs came in stretches of ``lengths`` µs, at most 1.

    NaN where nothing is expected: no interval is known, or the stretch has no length yet.
    """
    if not expected:
        return np.full(len(counts), np.nan)
    with np.errstate(all="ignore"):
        share = counts / (lengths / expected)
    return np.where(lengths > 0, np.round(np.minimum(share, 1.0), 6), np.nan)
