"""Walks through the readings of an asset by stretches of time, so that any length of history fits into memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from techtrack.telemetry.domain.reading import FOREVER, Readings
from techtrack.telemetry.store.base import Span
from techtrack.telemetry.store.database import store

HOUR = 3_600_000_000
# An hour is what the store keeps together; a week of readings, one a second, is as much as may come unforeseen.
SHORTEST, LONGEST = HOUR, 7 * 24 * HOUR
READINGS = 20_000


def walk(
    asset_id: int,
    span: Span = FOREVER,
    *,
    codes: Sequence[str] = (),
    readings: int = READINGS,
    damaged: set[int] | None = None,
) -> Iterator[Readings]:
    """Give the readings of an asset in order of time, about so many ``readings`` at once; no piece is empty.

    Hours (since 1970) that cannot be read are added to ``damaged``.
    """
    bounds = store.extent([asset_id])
    if bounds is None:
        return
    start, end, width = max(span[0], bounds[0]), min(span[1], bounds[1]), 6 * HOUR
    while start < end:
        stop = min((start + width) // HOUR * HOUR, end)
        piece = store.readings([asset_id], span=(start, stop), codes=codes).get(asset_id)
        if piece is not None and damaged is not None:
            damaged.update(piece.damaged)
        if piece is not None and len(piece.times):
            yield piece
        start = stop
        width = next_width(width, len(piece.times) if piece is not None else 0, wanted=readings)


def next_width(width: int, found: int, *, wanted: int) -> int:
    """Return how long (µs) the next stretch is to be, after one of ``width`` held ``found`` readings."""
    best = width * 4 if found * 4 <= wanted else int(width * wanted / found)
    return min(max(best, SHORTEST), LONGEST)


def having(readings: Readings, codes: Sequence[str]) -> Readings:
    """Leave out the readings that have none of the parameters; all stay where ``codes`` is empty."""
    if not codes:
        return readings
    there = np.zeros(len(readings.times), bool)
    for code in readings.columns.keys() & set(codes):
        there |= ~np.isnan(readings.columns[code])
    columns = {code: column[there] for code, column in readings.columns.items()}
    return Readings(readings.times[there], columns, marks=readings.marks)
