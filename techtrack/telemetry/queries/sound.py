"""Entries of the log without what is marked by now as not to be used."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np

from techtrack.telemetry.domain.quality import USABLE, Mark, Quality, in_force, qualities
from techtrack.telemetry.domain.reading import Batch, Floats, Kind
from techtrack.telemetry.models import QualityMark
from techtrack.telemetry.store import chunks
from techtrack.telemetry.store.base import LogEntry
from techtrack.telemetry.store.sql import ask

# Where no more marks than these end after the first reading, which is so of all that is new, they are taken as they
# are: one short look at an index. Otherwise each asset's are asked for, by stretches without a longer gap (µs).
FEW, APART = 200, 3_600_000_000
_COLUMNS = ("asset_id", "position", "code", "start_at", "end_at", "quality", "flag")
_TOUCHING = """
WITH wanted (asset_id, first, last) AS (VALUES {rows})
SELECT mark.asset_id, mark.position, mark.code, mark.start_at, mark.end_at, mark.quality, mark.flag
FROM wanted JOIN telemetry_qualitymark mark
    ON mark.asset_id = wanted.asset_id AND mark.end_at > wanted.first AND mark.start_at <= wanted.last
"""


def sound(entries: Sequence[LogEntry]) -> list[LogEntry]:
    """Return entries of the log, readings without the values that are marked bad or missing.

    A reading of which nothing is left stays: its asset was heard of.
    """
    readings = [entry.batch for entry in entries if entry.kind is Kind.READINGS and len(entry.batch)]
    marks = _marks(readings) if readings else {}
    if not marks:
        return list(entries)
    return [
        replace(entry, batch=_without(entry.batch, marks)) if entry.kind is Kind.READINGS else entry
        for entry in entries
    ]


def _marks(readings: Sequence[Batch]) -> dict[int, list[Mark]]:
    """Return the marks that may touch readings, by asset and in the order in which they count."""
    start = min(int(batch.times.min()) for batch in readings)
    end = max(int(batch.times.max()) for batch in readings) + 1
    newest = QualityMark.objects.filter(end_at__gt=start).order_by("end_at").values_list(*_COLUMNS)
    rows: Collection[tuple[Any, ...]] = list(newest[: FEW + 1])
    if len(rows) > FEW:
        rows = _touching(readings)
    found: dict[int, list[Mark]] = defaultdict(list)
    for asset, _, code, first, last, quality, flag in sorted(rows):
        if first < end:
            found[asset].append(Mark(asset, code or None, first, last, Quality(quality), flag))
    return {asset: in_force(some) for asset, some in found.items()}


def _touching(readings: Sequence[Batch]) -> set[tuple[Any, ...]]:
    """Return the marks of each asset that touch its own readings: one that comes late reads no year of all others'."""
    found: set[tuple[Any, ...]] = set()
    for some in chunks.parts(_stretches(readings)):
        rows = ", ".join(["(%s, %s, %s)"] * len(some))
        found.update(ask(_TOUCHING.format(rows=rows), *chain.from_iterable(some)))
    return found


def _stretches(readings: Sequence[Batch]) -> list[tuple[int, int, int]]:
    """Return (asset, first, last) of readings that are no farther apart than ``APART``."""
    assets = np.concatenate([batch.assets for batch in readings])
    times = np.concatenate([batch.times for batch in readings])
    order = np.lexsort((times, assets))
    assets, times = assets[order], times[order]
    cuts = np.flatnonzero((np.diff(assets) != 0) | (np.diff(times) > APART)) + 1
    first, last = np.concatenate([[0], cuts]), np.append(cuts, len(times)) - 1
    return list(zip(assets[first].tolist(), times[first].tolist(), times[last].tolist(), strict=True))


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
