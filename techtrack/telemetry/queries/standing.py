"""How a series stood before a moment: since when it was what it was, and what tests doubted last."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from techtrack.telemetry.domain.quality import Quality
from techtrack.telemetry.domain.statistics import Statistics
from techtrack.telemetry.models import QualityMark
from techtrack.telemetry.store import chunks
from techtrack.telemetry.store.base import Series
from techtrack.telemetry.store.database import store

HOUR = 3_600_000_000
_MARK = ("asset_id", "code", "flag", "start_at", "end_at", "quality", "position")


class Standing(NamedTuple):
    """The newest usable value before a moment, its time, and since when (µs) the value has been the same.

    ``before`` is the usable value before it, None where statistics of hours do not tell.
    """

    time: int
    value: float
    since: int
    before: float | None = None


class Doubted(NamedTuple):
    """A mark of a test (start <= time < end, µs), the position at which it stands, and which one of its hour it is."""

    start: int
    end: int
    quality: Quality
    position: int
    number: int = 1


def standing(asset_ids: Iterable[int], *, codes: Sequence[str], before: int, hours: int) -> dict[Series, Standing]:
    """Tell how each series stood before a moment (µs); at most so many ``hours`` back are looked at.

    A run of equal values is told from its oldest hour in which there was nothing else.
    """
    edges = before - HOUR * np.arange(hours, -1, -1, dtype=np.int64)
    found = store.statistics(asset_ids, codes=codes, edges=edges)
    return {series: _standing(one[one["count"] > 0]) for series, one in found.items()}


def doubted(asset_ids: Iterable[int], *, before: int, hours: int) -> dict[tuple[int, str, str], Doubted]:
    """Return the newest mark of each test that ended within ``hours`` before a moment: by asset, parameter, flag."""
    found: dict[tuple[int, str, str], Doubted] = {}
    for ids in chunks.parts(asset_ids):
        rows = QualityMark.objects.filter(asset_id__in=ids, end_at__gt=before - HOUR * hours, end_at__lte=before)
        columns = rows.exclude(flag="").order_by("end_at", "position").values_list(*_MARK)
        for asset, code, flag, start, end, quality, position in columns:
            earlier = found.get((asset, code, flag))
            number = earlier.number + 1 if earlier is not None and earlier.start // HOUR == start // HOUR else 1
            found[asset, code, flag] = Doubted(start, end, Quality(quality), position, number)
    return found


def _standing(hours: Statistics) -> Standing:
    value = float(hours["last"][-1])
    same = (hours["minimum"] == value) & (hours["maximum"] == value)
    changed = np.flatnonzero(~same)
    first = int(changed[-1]) + 1 if len(changed) else 0
    newest = int(hours["last_at"][-1])
    since = int(hours["first_at"][first]) if first < len(hours) else newest
    return Standing(newest, value, since, value if since < newest else _before(hours))


def _before(hours: Statistics) -> float | None:
    """Return the value before the last, which is another: known where the last is the only one of its hour."""
    alone = len(hours) > 1 and hours["count"][-1] == 1
    return float(hours["last"][-2]) if alone else None
