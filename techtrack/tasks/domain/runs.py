"""When an asset ran: the stretches in which the value of its running sign was above a limit."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import numpy.typing as npt

from techtrack.core.clock import MICROSECOND

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Spans = npt.NDArray[np.int64]  # rows of (start, end), µs
# A stop that is shorter belongs to the run: of a value that rests on its limit nobody wants to hear every second.
SHORTEST_STOP = timedelta(minutes=1)
# From an asset that says nothing for longer than this, nothing is known; where it says how often it sends, see below.
_USUAL, _LEAST = timedelta(minutes=10), timedelta(minutes=1)
_MISSED = 3


def holds(expected: timedelta | None) -> timedelta:
    """Return how long a value holds at most until the next one, of an asset that is to send so often."""
    return _USUAL if not expected else max(_LEAST, _MISSED * expected)


def runs(times: Ints, values: Floats, *, above: float, longest: timedelta) -> Spans:
    """Return when it ran, as far as is known at the last of these readings (µs, ascending).

    A value holds until the next reading, but no longer than ``longest``.
    """
    ran = values[:-1] > above
    starts = times[:-1][ran]
    ends = np.minimum(times[1:], times[:-1] + longest // MICROSECOND)[ran]
    return joined(np.column_stack([starts, ends]))


def joined(spans: Spans) -> Spans:
    """Join ascending stretches that lie no further apart than the shortest stop."""
    if not len(spans):
        return spans.reshape(0, 2)
    apart = spans[1:, 0] - spans[:-1, 1] > SHORTEST_STOP // MICROSECOND
    first = np.concatenate([[True], apart])
    last = np.concatenate([apart, [True]])
    return np.column_stack([spans[first, 0], spans[last, 1]])
