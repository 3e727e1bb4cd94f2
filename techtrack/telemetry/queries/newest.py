"""Newest values, and how much there is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import numpy as np

from techtrack.core.clock import from_micros
from techtrack.telemetry.queries.walking import walk
from techtrack.telemetry.store.base import LatestValue, Series, Span
from techtrack.telemetry.store.database import store
from techtrack.telemetry.store.latest import Newest


def latest(asset_ids: Iterable[int]) -> dict[int, dict[str, LatestValue]]:
    """Return the newest value of each parameter of each asset; assets without readings are absent."""
    return store.latest(asset_ids)


def newest(asset_ids: Iterable[int]) -> Newest:
    """Return the same as columns, for answers about a thousand assets: FOREVER[0] as a time says that there is none."""
    return store.newest(asset_ids)


def extent(asset_ids: Iterable[int]) -> tuple[datetime, datetime] | None:
    """Return the times between which all readings of the assets lie, None where there is none."""
    found = store.extent(asset_ids)
    return (from_micros(found[0]), from_micros(found[1] - 1)) if found else None


def count(asset_id: int) -> int:
    """Return about how many readings an asset has: as many as its fullest parameter has usable values."""
    span = store.extent([asset_id])
    if span is None:
        return 0
    found = store.statistics([asset_id], codes=(), edges=np.array(span))
    fullest = max((int(statistics["count"].sum()) for statistics in found.values()), default=0)
    # Where every value is marked as bad, there is nothing else to count by.
    return fullest or sum(len(readings.times) for readings in walk(asset_id, span))


def counts(asset_ids: Iterable[int], *, codes: Sequence[str], span: Span) -> dict[Series, int]:
    """Return how many usable values each series has in ``span``; without ``codes`` all parameters are meant."""
    if span[0] >= span[1]:
        return {}
    found = store.statistics(asset_ids, codes=codes, edges=np.array(span))
    return {series: int(statistics["count"].sum()) for series, statistics in found.items()}
