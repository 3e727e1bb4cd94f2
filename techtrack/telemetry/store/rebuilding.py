"""Computes anew, from chunks, what is derived of them: rollups, latest values, days; while the platform works."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from django.db import transaction

from techtrack.telemetry.models import Chunk, Latest, Rollup
from techtrack.telemetry.store import compaction, days, latest, segments, survey, upkeep
from techtrack.telemetry.store.checking import searched
from techtrack.telemetry.store.encoding import Corrupt, pack_latest, unpack_latest
from techtrack.telemetry.store.snapshot import snapshot
from techtrack.telemetry.store.survey import Problem, Step, Window
from techtrack.telemetry.store.tail import HOUR, NEVER

TRIES = 20


def rebuild(now: datetime, assets: Iterable[int] | None = None) -> Iterator[Step]:
    """Go through all assets, or some; what cannot be computed, since a chunk cannot be read, comes back as problem."""
    ids = None if assets is None else sorted(set(assets))
    for asset in survey.stored_assets() if ids is None else ids:
        seen = _Seen()
        yield from _rebuild_hours(asset, seen)
        _rebuild_latest(asset, seen)
        with transaction.atomic():
            upkeep.hold()
            upkeep.unsettle_all(asset)
        while days.build(now, assets=[asset]):
            yield Step(0)


@dataclass(slots=True)
class _Seen:
    """What the chunks of an asset told while they were gone through: parameters, newest time that was corrected."""

    codes: set[str] = field(default_factory=set)
    corrected_at: int = NEVER


def _rebuild_hours(asset: int, seen: _Seen) -> Iterator[Step]:
    after = -(2**31)
    while True:
        with snapshot():
            window = survey.load(asset, after)
        if window is None:
            return
        _write(window)
        for row in window.chunks.values():
            seen.codes |= row.stored.readings.columns.keys()
            seen.corrected_at = max(seen.corrected_at, *row.stored.readings.locked, NEVER)
        broken = [hour for hour, row in window.chunks.items() if row.stored.damaged]
        yield Step(len(window), tuple(Problem(asset, hour, "the chunk cannot be read") for hour in broken))
        after = window.last


def _write(window: Window) -> None:
    """Write the rollups of a window that are not as they must be, of chunks that are still as they were read."""
    group = window.group()
    codes, statistics = group.statistics()
    through = dict(zip(group.hours.tolist(), group.before.tolist(), strict=True))
    rows = [
        (asset, hour, through[hour], names, payload)
        for asset, hour, _, names, payload in compaction.rollup_rows(group, 0, codes, statistics)
        if window.rollups.get(hour) != (names, payload)
    ]
    if not rows:
        return
    with transaction.atomic():
        upkeep.hold()
        hours = [row[1] for row in rows]
        now = Chunk.objects.filter(asset_id=window.asset, hour__in=hours).values_list("hour", "through")
        same = {hour for hour, at in now if at == through[hour]}
        # A fold that came between has written the others.
        compaction.write_rollups([row for row in rows if row[1] in same])
        upkeep.unsettle([window.asset] * len(same), sorted(same))


def _rebuild_latest(asset: int, seen: _Seen) -> None:
    for _ in range(TRIES):
        floor = segments.watermark()
        with snapshot():
            row = _latest_row(asset, floor, seen)
        with transaction.atomic():
            # Overtaken by a fold: what it found is newer than what was read.
            if upkeep.hold() == floor:
                if row is not None:
                    compaction.write_latest([row])
                return


def _latest_row(asset: int, floor: int, seen: _Seen) -> latest.Row | None:
    there = Latest.objects.filter(pk=asset).values_list("first_at", "corrected_at", "codes", "payload").first()
    rolled = Rollup.objects.filter(asset_id=asset)
    first_hour = rolled.order_by("hour").values_list("hour", flat=True).first()
    values = searched(asset, seen.codes | set(there[2].split() if there else ()))
    values |= {code: at for code, at in _kept(there, asset).items() if code not in values}
    if not values or first_hour is None:
        return None
    names = sorted(values)
    packed = pack_latest(
        np.array([values[name][0] for name in names], np.int64), np.array([values[name][1] for name in names])
    )
    corrected = max(seen.corrected_at, NEVER if there is None or there[1] is None else there[1])
    first_at = first_hour * HOUR if there is None else min(first_hour * HOUR, there[0])
    corrected_at = None if corrected == NEVER else corrected
    return latest.Row(asset, floor, first_at, corrected_at, " ".join(names), packed)


def _kept(there: Any, asset: int) -> dict[str, tuple[int, float]]:
    """Return the values whose raw readings are no longer kept, as the row told them."""
    since = upkeep.raw_since([asset]).get(asset, NEVER)
    if there is None or since == NEVER:
        return {}
    names = there[2].split()
    try:
        times, values = unpack_latest([bytes(there[3])], len(names))
    except Corrupt:
        return {}
    told = {name: (int(times[0, place]), float(values[0, place])) for place, name in enumerate(names)}
    return {name: at for name, at in told.items() if at[0] < since}
