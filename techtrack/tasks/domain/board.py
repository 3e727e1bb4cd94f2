"""Where a task stands on the board: a number between those of its neighbours, and room made where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

STEP = 1024.0
# Below this gap, of numbers as large as a date in seconds, only a few more would fit.
_NARROW = 2.0**-8
_ORIGIN = datetime(2020, 1, 1, tzinfo=UTC)


def at_the_end(now: datetime) -> float:
    """Return the place of a task that is made now: behind all that were made before."""
    return (now - _ORIGIN).total_seconds()


def between(low: float | None, high: float | None) -> float | None:
    """Return a place between two (None: nothing stands on that side); None where none is left."""
    if low is None:
        return 0.0 if high is None else high - STEP
    if high is None:
        return low + STEP
    middle = low + (high - low) / 2
    return middle if low < middle < high else None


def relaid(places: Sequence[float], *, gap: int) -> dict[int, float]:
    """Return new places, by index, for as few of a column as it takes to have room before index ``gap``.

    ``places`` ascend; two may be the same.
    """
    reach = 1
    while True:
        first, last = max(0, gap - reach), min(len(places), gap + reach)
        low = places[first - 1] if first else None
        high = places[last] if last < len(places) else None
        # One more than they are: the room in the middle.
        if found := _spread(low, high, last - first + 1):
            del found[gap - first]
            return dict(enumerate(found, first))
        reach *= 2


def _spread(low: float | None, high: float | None, count: int) -> list[float]:
    """Return ``count`` places evenly between two, empty where they would stand too close."""
    if low is None or high is None:
        start = (low or 0.0) if high is None else high - STEP * (count + 1)
        return [start + STEP * number for number in range(1, count + 1)]
    step = (high - low) / (count + 1)
    return [low + step * number for number in range(1, count + 1)] if step >= _NARROW else []
