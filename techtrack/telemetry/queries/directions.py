"""Means of directions, of wind, between any edges."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from techtrack.telemetry.domain.directions import is_direction, mean_direction, parts_of, with_parts
from techtrack.telemetry.domain.reading import Floats, Ints
from techtrack.telemetry.domain.statistics import STATISTICS, Statistics
from techtrack.telemetry.store.base import Series
from techtrack.telemetry.store.database import store


def directions(found: Mapping[Series, Statistics], edges: Ints) -> dict[Series, Floats]:
    """Return the means in degrees of those series among ``found`` that are directions; of others it asks nothing.

    ``found`` is what the store said of the same ``edges``.
    """
    some = [series for series in found if is_direction(series[1])]
    if not some:
        return {}
    # The whole once more, from the same picture as its parts: what comes meanwhile is in all of them, or in none.
    codes = with_parts(sorted({code for _, code in some}))
    told = store.statistics({asset for asset, _ in some}, codes=codes, edges=edges)
    nothing = np.zeros(len(edges) - 1, STATISTICS)
    return {
        (asset, code): mean_direction(*(told.get((asset, one), nothing) for one in (code, *parts_of(code))))
        for asset, code in some
    }
