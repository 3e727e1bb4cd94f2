"""Statistics of stretches of a series, exact to merge: hours from readings, days from hours."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from techtrack.telemetry.domain.reading import Floats, Ints

# ``integral`` is the sum of value x seconds from first_at to last_at, each value holding until the next one.
STATISTICS = np.dtype(
    [
        ("count", "<i8"),
        ("minimum", "<f8"),
        ("maximum", "<f8"),
        ("total", "<f8"),
        ("m2", "<f8"),
        ("first", "<f8"),
        ("first_at", "<i8"),
        ("last", "<f8"),
        ("last_at", "<i8"),
        ("integral", "<f8"),
    ]
)
Statistics = npt.NDArray[Any]  # of dtype STATISTICS; a stretch without values has count 0
SECOND = 1_000_000


def summarise(times: Ints, values: Floats, starts: npt.NDArray[np.intp]) -> Statistics:
    """Summarise a series (times ascending in each stretch, µs), cut before each index of ``starts`` (from 0 on).

    ``m2`` is the sum of squared distances from the mean. Every stretch holds a value.
    """
    found = np.zeros(len(starts), STATISTICS)
    if not len(starts):
        return found
    if len(starts) == len(times):
        return _alone(times, values)
    last = np.append(starts[1:], len(times)) - 1
    count = last - starts + 1
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.add.reduceat(values, starts)
        distance = values - np.repeat(total / count, count)
        found["m2"] = np.add.reduceat(distance * distance, starts)
        held = np.append(values[:-1] * (np.diff(times) / SECOND), 0.0)
        # Between two stretches nothing is held.
        held[last] = 0.0
        found["integral"] = np.add.reduceat(held, starts)
    found["count"], found["total"] = count, total
    found["minimum"], found["maximum"] = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    found["first"], found["first_at"] = values[starts], times[starts]
    found["last"], found["last_at"] = values[last], times[last]
    return found


def _alone(times: Ints, values: Floats) -> Statistics:
    """Summarise stretches of one value each."""
    found = np.zeros(len(times), STATISTICS)
    found["count"] = 1
    for name in ("minimum", "maximum", "total", "first", "last"):
        found[name] = values
    found["first_at"] = found["last_at"] = times
    return found


def merged(pieces: Statistics, starts: npt.NDArray[np.intp]) -> Statistics:
    """Merge neighbouring stretches in order of time, cut before each index of ``starts``; empty ones do not count."""
    found = np.zeros(len(starts), STATISTICS)
    filled = pieces["count"] > 0
    group = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(pieces))))[filled]
    pieces = pieces[filled]
    if len(pieces):
        groups, first = np.unique(group, return_index=True)
        found[groups] = _joined(pieces, first)
    return found


def _joined(pieces: Statistics, first: npt.NDArray[np.intp]) -> Statistics:
    found = np.zeros(len(first), STATISTICS)
    sizes = np.diff(np.append(first, len(pieces)))
    last = first + sizes - 1
    with np.errstate(over="ignore", invalid="ignore"):
        for name in ("count", "total"):
            found[name] = np.add.reduceat(pieces[name], first)
        shift = pieces["total"] / pieces["count"] - np.repeat(found["total"] / found["count"], sizes)
        found["m2"] = np.add.reduceat(pieces["m2"] + pieces["count"] * shift * shift, first)
        gaps = np.append(pieces["last"][:-1] * ((pieces["first_at"][1:] - pieces["last_at"][:-1]) / SECOND), 0.0)
        gaps[last] = 0.0
        found["integral"] = np.add.reduceat(pieces["integral"] + gaps, first)
    found["minimum"] = np.minimum.reduceat(pieces["minimum"], first)
    found["maximum"] = np.maximum.reduceat(pieces["maximum"], first)
    for name in ("first", "first_at"):
        found[name] = pieces[name][first]
    for name in ("last", "last_at"):
        found[name] = pieces[name][last]
    return found


def between(times: Ints, values: Floats, edges: Ints) -> Statistics:
    """Summarise a series (times ascending) between each two neighbours of ``edges``; one entry fewer than edges."""
    found = np.zeros(len(edges) - 1, STATISTICS)
    first, last = np.searchsorted(times, [edges[0], edges[-1]])
    times, values = times[first:last], values[first:last]
    if len(times) == len(found) and bool(((edges[:-1] <= times) & (times < edges[1:])).all()):
        return _alone(times, values)
    if len(times):
        places = np.searchsorted(edges, times, "right") - 1
        starts = np.flatnonzero(np.diff(places, prepend=-1))
        found[places[starts]] = summarise(times, values, starts)
    return found
