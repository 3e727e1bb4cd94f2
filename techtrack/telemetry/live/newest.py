"""The newest value of each series in some batches, found on whole columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from techtrack.telemetry.domain.reading import Batch, Floats, Ints


class Newest(NamedTuple):
    """Of one asset: the newest time (µs), and the newest value of each parameter."""

    asset: int
    at: int
    values: dict[str, float]


def newest(batches: Sequence[Batch]) -> list[Newest]:
    """Return what is newest of each asset; of two readings of one time, what was written later."""
    batches = [batch for batch in batches if len(batch)]
    if not batches:
        return []
    assets = np.concatenate([batch.assets for batch in batches])
    times = np.concatenate([batch.times for batch in batches])
    # Stable: readings of one asset and time stay in the order of writing.
    order = np.lexsort((times, assets))
    assets, times = assets[order], times[order]
    starts = np.flatnonzero(np.concatenate(([True], assets[1:] != assets[:-1])))
    found = [Newest(asset, at, {}) for asset, at in zip(assets[starts].tolist(), _last(times, starts), strict=True)]
    for code in dict.fromkeys(code for batch in batches for code in batch.values):
        for index, value in _newest_of(_column(batches, code)[order], starts):
            found[index].values[code] = value
    return [one for one in found if one.values]


def _last(times: Ints, starts: Ints) -> list[int]:
    ends: list[int] = times[np.append(starts[1:], len(times)) - 1].tolist()
    return ends


def _newest_of(column: Floats, starts: Ints) -> list[tuple[int, float]]:
    """Return ``(stretch, value)`` of the last value there is in each stretch that has one."""
    places = np.where(np.isnan(column), -1, np.arange(len(column)))
    last = np.maximum.reduceat(places, starts)
    there = np.flatnonzero(last >= 0)
    return list(zip(there.tolist(), column[last[there]].tolist(), strict=True))


def _column(batches: Sequence[Batch], code: str) -> Floats:
    parts = [batch.values.get(code) for batch in batches]
    return np.concatenate(
        [np.full(len(batch), np.nan) if part is None else part for batch, part in zip(batches, parts, strict=True)]
    )
