"""Drops raw readings that are older than their asset's type keeps; what is rolled up of them stays."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import Q

from techtrack.assets.models import Asset
from techtrack.core.clock import to_micros
from techtrack.telemetry.models import Chunk, Correction, Damage, Latest, Upkeep
from techtrack.telemetry.store import chunks, upkeep
from techtrack.telemetry.store.days import midnights
from techtrack.telemetry.store.rollups import SHORTEST_DAY
from techtrack.telemetry.store.tail import HOUR

# What a door took a moment before it became too old may still wait in the log.
GRACE = timedelta(hours=2)
# Hours a transaction: on SQLite it holds the write lock for some milliseconds.
HOURS = 500


class _Kept(NamedTuple):
    """How far back raw readings go: not beyond ``start`` (a local midnight), but for the hour ``cut``."""

    start: int
    cut: int | None


def drop(now: datetime) -> int:
    """Drop the oldest hours of some assets that are no longer kept; returns how many, 0 when none is left."""
    dropped = 0
    for type_id, cutoff in _cutoffs(now):
        ids = list(Asset.objects.filter(type_id=type_id).values_list("pk", flat=True))
        for part in chunks.parts(ids):
            for asset in _due(part, cutoff):
                dropped += _drop(asset, cutoff)
                if dropped >= HOURS:
                    return dropped
    return dropped


def _due(ids: list[int], cutoff: int) -> list[int]:
    """Name the assets that had readings before ``cutoff`` and were not looked at since the last midnight."""
    older = Latest.objects.filter(pk__in=ids, first_at__lt=cutoff).order_by("pk").values_list("pk", flat=True)
    done = set(Upkeep.objects.filter(pk__in=ids, raw_from__gt=cutoff - SHORTEST_DAY).values_list("pk", flat=True))
    return [asset for asset in older if asset not in done]


def _cutoffs(now: datetime) -> Iterator[tuple[int, int]]:
    rows = Asset.objects.filter(type__retention__isnull=False).order_by("type_id")
    for type_id, retention in rows.values_list("type_id", "type__retention").distinct():
        if type_id is not None and retention is not None:
            yield type_id, to_micros(now - retention - GRACE)


@transaction.atomic
def _drop(asset: int, cutoff: int) -> int:
    upkeep.hold()
    kept = _kept(asset, cutoff)
    if kept is None:
        return 0
    # The hour in which the last of the dropped days begins is shared with a day that may still change.
    old = Q(asset_id=asset, hour__lt=kept.start // HOUR) & ~Q(hour=kept.cut)
    rows = Chunk.objects.filter(old)
    hours = list(rows.order_by("hour").values_list("hour", flat=True)[:HOURS])
    more = len(hours) == HOURS
    Upkeep.objects.filter(pk=asset).update(raw_from=(hours[-1] + 1) * HOUR if more else kept.start)
    # What was set aside goes as well; that it was stays known, since statistics lack it.
    Damage.objects.filter(old).exclude(payload=b"").update(payload=b"")
    if hours:
        rows.filter(hour__lte=hours[-1]).delete()
        # Corrections hold raw values; marks of quality stay, since they tell why a rollup left values out.
        Correction.objects.filter(asset_id=asset, time__lt=(hours[-1] + 1) * HOUR).delete()
    return len(hours)


def _kept(asset: int, cutoff: int) -> _Kept | None:
    """Find the last local midnight up to ``cutoff`` to which the asset's days are made; None before there is one."""
    row = Upkeep.objects.filter(pk=asset).values_list("zone", "days_to").first()
    zone = Asset.objects.filter(pk=asset).values_list("site__timezone", flat=True).first() or "UTC"
    if row is None or row[0] != zone:
        # Its days are yet to be made, of all the hours there are.
        return None
    last = min(cutoff, row[1])
    before, start = _midnights(zone, last)
    return _Kept(start, before // HOUR if before % HOUR else None)


def _midnights(zone: str, at: int) -> tuple[int, int]:
    """Return the last midnight up to a time, and the one before it."""
    start = int(midnights(zone, at, at + 1)[0])
    return int(midnights(zone, start - 1, start)[0]), start
