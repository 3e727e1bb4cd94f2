"""Readings for a drawing: of a series of any length the few that show its line."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from techtrack.telemetry.domain.downsample import candidates
from techtrack.telemetry.domain.downsample import thinned as thin
from techtrack.telemetry.domain.reading import Floats, Ints
from techtrack.telemetry.queries.history import MOST_RAW, TooMuch
from techtrack.telemetry.queries.walking import walk
from techtrack.telemetry.store.base import Series, Span
from techtrack.telemetry.store.database import store


def thinned(
    asset_ids: Sequence[int], *, codes: Sequence[str], span: Span, points: int
) -> dict[Series, tuple[Ints, Floats]]:
    """Return times (µs) and values of about ``points`` usable readings of each series, extremes and ends included.

    Raises:
        TooMuch: the span holds more values than can be looked through while somebody waits.
    """
    found = store.statistics(asset_ids, codes=codes, edges=np.array(span))
    values = sum(int(statistics["count"].sum()) for statistics in found.values())
    if values > MOST_RAW:
        raise TooMuch(f"drawing reads every value, and these are {values}; ask for a shorter time", pointer="?from")
    drawn: dict[Series, tuple[Ints, Floats]] = {}
    for asset in dict.fromkeys(asset for asset, _ in found):
        wanted = [code for other, code in found if other == asset]
        drawn |= {(asset, code): part for code, part in _of_asset(asset, wanted, span, points).items()}
    return drawn


def _of_asset(asset: int, codes: Sequence[str], span: Span, points: int) -> dict[str, tuple[Ints, Floats]]:
    pieces: dict[str, list[tuple[Ints, Floats]]] = {code: [] for code in codes}
    for readings in walk(asset, span, codes=codes, readings=100_000):
        for code in codes:
            times, values = readings.usable(code)
            kept = candidates(times, values, span=span, points=points)
            pieces[code].append((times[kept], values[kept]))
    found = {}
    for code, parts in pieces.items():
        if parts:
            times, values = (np.concatenate(columns) for columns in zip(*parts, strict=True))
            chosen = thin(times, values, points=points)
            found[code] = (times[chosen], values[chosen])
    return found
