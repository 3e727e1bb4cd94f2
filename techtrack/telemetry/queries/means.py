"""Means between any edges, with how many values they are made of: what an averaging period is made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from techtrack.telemetry.domain.aggregation import statistic
from techtrack.telemetry.domain.reading import Floats, Ints
from techtrack.telemetry.store.base import Series
from techtrack.telemetry.store.database import store


def means(asset_ids: Iterable[int], *, codes: Sequence[str], edges: Ints) -> dict[Series, tuple[Ints, Floats]]:
    """Return how many usable values each series has between each two neighbours of ``edges`` (µs), and their mean.

    NaN where there is none; a series without any is absent.
    """
    found = store.statistics(asset_ids, codes=codes, edges=edges)
    return {series: (one["count"].astype("int64"), statistic("avg", one)) for series, one in found.items()}
