"""Entries of the log without what is marked by now as not to be used."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from techtrack.telemetry.domain.quality import USABLE, Mark, Quality, in_force, qualities
from techtrack.telemetry.domain.reading import Batch, Floats, Kind
from techtrack.telemetry.models import QualityMark
from techtrack.telemetry.store.base import LogEntry


def sound(entries: Sequence[LogEntry]) -> list[LogEntry]:
    """Return entries of the log, readings without the values that are marked bad or missing; one statement for all.

    A reading of which nothing is left stays: its asset was heard of.
    """
    readings = [entry for entry in entries if entry.kind is Kind.READINGS and len(entry.batch)]
    if not readings:
        return list(entries)
    start = min(int(entry.batch.times.min()) for entry in readings)
    end = max(int(entry.batch.times.max()) for entry in readings) + 1
    marks = _marks(start, end)
    if not marks:
        return list(entries)
    return [
        replace(entry, batch=_without(entry.batch, marks)) if entry.kind is Kind.READINGS else entry
        for entry in entries
    ]


def _marks(start: int, end: int) -> dict[int, list[Mark]]:
    """Return the marks of all assets that touch a stretch, in the order in which they count."""
    rows = QualityMark.objects.filter(end_at__gt=start, start_at__lt=end).order_by("asset_id", "position")
    found: dict[int, list[Mark]] = defaultdict(list)
    for asset, code, first, last, quality, flag in rows.values_list(
        "asset_id", "code", "start_at", "end_at", "quality", "flag"
    ):
        found[asset].append(Mark(asset, code or None, first, last, Quality(quality), flag))
    return {asset: in_force(some) for asset, some in found.items()}


def _without(batch: Batch, marks: Mapping[int, Sequence[Mark]]) -> Batch:
    columns: dict[str, Floats] = dict(batch.values)
    for asset in set(batch.assets.tolist()) & marks.keys():
        places = np.flatnonzero(batch.assets == asset)
        places = places[np.argsort(batch.times[places], kind="stable")]
        for code, column in columns.items():
            bad = qualities(batch.times[places], code, marks[asset]) > USABLE
            if bad.any():
                columns[code] = column.copy()
                columns[code][places[bad]] = np.nan
    there = {code: column for code, column in columns.items() if not np.isnan(column).all()}
    return Batch(batch.assets, batch.times, there)
