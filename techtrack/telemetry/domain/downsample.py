"""Readings chosen for a drawing: of thousands those few hundred that give the eye the same line.

MinMaxLTTB (Van Der Donckt and others, IEEE VIS 2023): the extremes of each stretch are kept as candidates, and of
those "largest triangle three buckets" (Steinarsson 2013) chooses. The result here holds the first, the last, the
lowest and the highest reading whatever the triangles say.
"""

from __future__ import annotations

import numpy as np

from techtrack.telemetry.domain.reading import Floats, Ints

CANDIDATES = 4  # per point, half of them lowest and half highest: the paper's recommendation


def candidates(times: Ints, values: Floats, *, span: tuple[int, int], points: int) -> Ints:
    """Return the indices (ascending) of the lowest and highest reading in each of ``2 * points`` parts of ``span``.

    Parts of a series may be thinned one by one and the thinned parts joined: the extremes of all are among them.
    """
    if not len(times):
        return np.empty(0, np.int64)
    width = max((span[1] - span[0]) / (points * CANDIDATES / 2), 1.0)
    part = ((times - span[0]) / width).astype(np.int64)
    starts = np.flatnonzero(np.diff(part, prepend=part[0] - 1))
    order = np.lexsort((values, part))
    ends = np.append(starts[1:], len(times)) - 1
    return np.unique(np.concatenate([order[starts], order[ends], [0, len(times) - 1]]))


def thinned(times: Ints, values: Floats, *, points: int) -> Ints:
    """Return the indices (ascending) of at most ``points`` readings (4 or more) to draw; times ascend, in µs."""
    if len(times) <= points:
        return np.arange(len(times))
    kept = candidates(times, values, span=(int(times[0]), int(times[-1]) + 1), points=points)
    if len(kept) > points:
        kept = kept[_triangles(times[kept], values[kept], points - 4)]
    # First and last are in already; the two extremes may have lost to a triangle.
    return np.union1d(kept, [int(np.argmin(values)), int(np.argmax(values))])


def _triangles(times: Ints, values: Floats, inner: int) -> Ints:
    """Choose the ends, and in each of ``inner`` buckets the one that spans the largest triangle with its neighbours."""
    at, y = (times - times[0]).astype(np.float64), values / (np.abs(values).max() or 1.0)
    bounds = [*np.linspace(1, len(times) - 1, inner + 1).astype(int).tolist(), len(times)]
    chosen = [0]
    for bucket in range(inner):
        low, high, after = bounds[bucket : bucket + 3]
        last, inside, ahead = chosen[-1], slice(low, max(high, low + 1)), slice(high, max(after, high + 1))
        next_at, next_y = at[ahead].mean(), y[ahead].mean()
        area = np.abs((at[last] - next_at) * (y[inside] - y[last]) - (at[last] - at[inside]) * (next_y - y[last]))
        chosen.append(low + int(np.argmax(area)))
    return np.array([*chosen, len(times) - 1])
