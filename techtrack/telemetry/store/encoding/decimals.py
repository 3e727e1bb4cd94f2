"""Floats as integers, by the smallest power of ten that gives the same bits back, or as the bits themselves."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from techtrack.telemetry.domain.reading import Floats, Ints

Places = npt.NDArray[np.intp]
FACTORS = tuple(10.0**power for power in range(10))
FLOAT32, FLOAT64 = 10, 11  # scales behind the powers of ten: the bits as an integer
_FACTORS = np.array(FACTORS)[:, None]
_SAMPLES = np.arange(4)[:, None]
_SCALES = np.arange(FLOAT64 + 1)[:, None]


class Stretches(NamedTuple):
    """Where in a long array each stretch begins and how many entries it has; none is empty, none overlap."""

    starts: Places
    counts: Places


def to_integers(values: Floats, scale: int) -> Ints:
    """Give the integers that stand for ``values`` at ``scale``: meaningful where ``to_floats`` gives the same bits."""
    if scale == FLOAT64:
        return values.view(np.int64)
    if scale == FLOAT32:
        return values.astype(np.float32).view(np.int32).astype(np.int64)
    return np.rint(values * FACTORS[scale]).astype(np.int64)


def to_floats(integers: Ints, scale: int) -> Floats:
    """Undo ``to_integers``."""
    if scale == FLOAT64:
        return integers.view(np.float64)
    if scale == FLOAT32:
        return integers.astype(np.int32).view(np.float32).astype(np.float64)
    return integers / FACTORS[scale]


def scaled(values: Floats, stretches: Stretches) -> tuple[Ints, Places]:
    """Give integers for all values, and a scale for each stretch that is exact to the bit, as small as can be."""
    starts, counts = stretches
    integers = np.empty(len(values), np.int64)
    with np.errstate(all="ignore"):
        # Some samples nearly always tell the scale: so neighbours have the same, and are tested in one go.
        samples = values[starts + counts * _SAMPLES // len(_SAMPLES)]
        scales = _least(samples.ravel(), np.zeros(samples.size, np.intp)).reshape(samples.shape).max(axis=0)
        pending = np.arange(len(starts))
        while len(pending):
            wrong = np.concatenate(
                [
                    _convert(values, integers, starts[first], starts[last] + counts[last], int(scales[first]))
                    for first, last in _runs(pending, scales[pending])
                ]
            )
            if not len(wrong):
                break
            pending, sample = np.unique(np.searchsorted(starts, wrong, "right") - 1, return_index=True)
            scales[pending] = _least(values[wrong[sample]], scales[pending] + 1)
    return integers, scales


def _least(samples: Floats, floor: Places) -> Places:
    """Give for each value the first scale from ``floor`` on that is exact for it."""
    tried = np.empty((FLOAT64 + 1, len(samples)))
    np.divide(np.rint(samples * _FACTORS).astype(np.int64), _FACTORS, out=tried[:FLOAT32])
    tried[FLOAT32] = samples.astype(np.float32)
    tried[FLOAT64] = samples
    exact = (tried.view(np.int64) == samples.view(np.int64)) & (floor <= _SCALES)
    exact[FLOAT64] = True
    first: Places = exact.argmax(axis=0)
    return first


def _runs(stretches: Places, scales: Places) -> list[tuple[int, int]]:
    """Give first and last of each run of neighbours with one scale."""
    cuts = np.flatnonzero((np.diff(scales) != 0) | (np.diff(stretches) != 1))
    first, last = np.append(0, cuts + 1), np.append(cuts, len(stretches) - 1)
    return list(zip(stretches[first].tolist(), stretches[last].tolist(), strict=True))


def _convert(values: Floats, integers: Ints, start: int, end: int, scale: int) -> Places:
    """Fill in the integers from ``start`` to ``end``, and give the places where they are not exact."""
    there, piece = integers[start:end], values[start:end]
    there[:] = to_integers(piece, scale)
    if scale == FLOAT64:
        return np.empty(0, np.intp)
    return np.flatnonzero(to_floats(there, scale).view(np.int64) != piece.view(np.int64)) + start
