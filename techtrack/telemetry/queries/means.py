"""Means between any edges, with how many values they are made of: what an averaging period is made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from techtrack.telemetry.domain.aggregation import spacing, statistic
from techtrack.telemetry.domain.reading import Floats, Ints
from techtrack.telemetry.queries.directions import directions
from techtrack.telemetry.store.base import Series
from techtrack.telemetry.store.database import store


def means(asset_ids: Iterable[int], *, codes: Sequence[str], edges: Ints) -> dict[Series, tuple[Ints, Floats]]:
    """Return how many usable values each series has between each two neighbours of ``edges`` (µs), and their mean.

    NaN where there is none; a series without any is absent. That of a direction is the vectors'.
    """
    found = store.statistics(asset_ids, codes=codes, edges=edges)
    turned = directions(found, edges)
    means = {series: turned[series] if series in turned else statistic("avg", one) for series, one in found.items()}
    return {series: (one["count"].astype("int64"), means[series]) for series, one in found.items()}


def spacings(asset_ids: Iterable[int], *, codes: Sequence[str], edges: Ints) -> dict[Series, Ints]:
    """Return how far apart (µs) the values lay between each two neighbours of ``edges``, 0 where nothing tells."""
    found = store.statistics(asset_ids, codes=codes, edges=edges)
    return {series: spacing(one) for series, one in found.items()}


def highest(asset_ids: Iterable[int], *, codes: Sequence[str], edges: Ints) -> dict[Series, Floats]:
    """Return the highest value of each series between each two neighbours of ``edges``, NaN where there is none."""
    found = store.statistics(asset_ids, codes=codes, edges=edges)
    return {series: statistic("max", one) for series, one in found.items()}
