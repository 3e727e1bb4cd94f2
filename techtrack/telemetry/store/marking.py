"""Marks of quality as they are written: their rows, and one entry of the log that tells of which stretches."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import chain

import numpy as np

from techtrack.telemetry.domain.quality import Mark
from techtrack.telemetry.domain.reading import Batch, Kind, Origin
from techtrack.telemetry.models import QualityMark
from techtrack.telemetry.store import chunks, segments
from techtrack.telemetry.store.base import Growth
from techtrack.telemetry.store.sql import ask

# Never shorter: another process may have seen more. What a person said is no test's to change. Of an asset that is gone
# a mark may have been laid a moment later, and waits for the compactor to be dropped.
_GROW = """
WITH grown (asset_id, position, end_at) AS (VALUES {rows})
UPDATE telemetry_qualitymark SET end_at = grown.end_at FROM grown
WHERE telemetry_qualitymark.asset_id = grown.asset_id AND telemetry_qualitymark.position = grown.position
    AND telemetry_qualitymark.end_at < grown.end_at AND telemetry_qualitymark.flag <> ''
    AND NOT EXISTS (SELECT 1 FROM telemetry_forgotten WHERE telemetry_forgotten.asset_id = grown.asset_id)
RETURNING telemetry_qualitymark.asset_id, telemetry_qualitymark.position
"""


def lay(marks: Sequence[Mark], *, grown: Sequence[Growth], now: datetime) -> list[int]:
    """Answer ``Store.mark``: each mark takes a position, and the entry that tells of all stands at the last."""
    noted = [*marks, *_grow(grown)]
    if not noted:
        return []
    last = segments.append(_stretches(noted), kind=Kind.QUALITY, origin=_origin(noted), now=now, positions=len(noted))
    positions = range(last - len(noted) + 1, last + 1)[: len(marks)]
    rows = [
        QualityMark(
            asset_id=mark.asset,
            position=position,
            code=mark.code or "",
            start_at=mark.start,
            end_at=mark.end,
            quality=mark.quality,
            flag=mark.flag,
            created_at=now,
        )
        for position, mark in zip(positions, marks, strict=True)
    ]
    QualityMark.objects.bulk_create(rows)
    return list(positions)


def _grow(grown: Sequence[Growth]) -> list[Mark]:
    """Let marks grow; return how, for those that did."""
    changed: set[tuple[int, int]] = set()
    ends = sorted((growth.mark.asset, growth.position, growth.mark.end) for growth in grown)
    for some in chunks.parts(ends):
        rows = ", ".join(["(%s, %s, %s)"] * len(some))
        changed.update((asset, at) for asset, at in ask(_GROW.format(rows=rows), *chain.from_iterable(some)))
    return [growth.mark for growth in grown if (growth.mark.asset, growth.position) in changed]


def _stretches(marks: Sequence[Mark]) -> Batch:
    assets = np.repeat(np.array([mark.asset for mark in marks], np.int64), 2)
    times = np.array([(mark.start, mark.end - 1) for mark in marks], np.int64).reshape(-1)
    return Batch(assets, times, {})


def _origin(marks: Sequence[Mark]) -> Origin:
    return Origin.TESTS if all(mark.flag for mark in marks) else Origin.LIVE
