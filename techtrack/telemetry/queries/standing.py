"""Since when a series has been what it was before a moment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from techtrack.telemetry.domain.statistics import Statistics
from techtrack.telemetry.store.base import Series
from techtrack.telemetry.store.database import store

HOUR = 3_600_000_000


class Standing(NamedTuple):
    """The newest usable value before a moment, its time, and since when (µs) the value has been the same."""

    time: int
    value: float
    since: int


def standing(asset_ids: Iterable[int], *, codes: Sequence[str], before: int, hours: int) -> dict[Series, Standing]:
    """Tell how each series stood before a moment (µs); at most so many ``hours`` back are looked at.

    A run of equal values is told from its oldest hour in which there was nothing else.
    """
    edges = before - HOUR * np.arange(hours, -1, -1, dtype=np.int64)
    found = store.statistics(asset_ids, codes=codes, edges=edges)
    return {series: _standing(one[one["count"] > 0]) for series, one in found.items()}


def _standing(hours: Statistics) -> Standing:
    value = float(hours["last"][-1])
    same = (hours["minimum"] == value) & (hours["maximum"] == value)
    changed = np.flatnonzero(~same)
    first = int(changed[-1]) + 1 if len(changed) else 0
    newest = int(hours["last_at"][-1])
    return Standing(newest, value, int(hours["first_at"][first]) if first < len(hours) else newest)
