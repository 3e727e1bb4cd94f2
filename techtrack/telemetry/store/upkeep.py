"""Who changes what is folded takes turns; and what is derived of hours is unsettled together with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db.models import F

from techtrack.telemetry.domain.reading import FOREVER
from techtrack.telemetry.models import DayRollup, LogConsumer, Upkeep
from techtrack.telemetry.store.segments import LANE, STORE
from techtrack.telemetry.store.sql import execute

HOUR = 3_600_000_000
NEVER = FOREVER[0]
# A local day has 25 hours where summer time ends; a zone that moved over the date line would make it longer.
LONGEST_DAY = 50 * HOUR


def hold() -> int:
    """Let nobody else change what is folded until commit; returns the watermark."""
    row, _ = LogConsumer.objects.select_for_update().get_or_create(name=STORE, lane=LANE)
    return int(row.position)


def unsettle(assets: list[int], hours: list[int]) -> None:
    """Remove the days that these hours of assets belong to, in the transaction that changes them, while holding.

    Whoever makes such a day at this moment finds the asset's revision changed, and begins anew.
    """
    if not assets:
        return
    # Most hours are newer than any day that was made: then this one question is all.
    since = min(hours) * HOUR
    if Upkeep.objects.filter(asset_id__in=set(assets), claimed_to__gt=since).exists():
        keys = [(asset, hour * HOUR) for asset, hour in zip(assets, hours, strict=True)]
        # Of an asset the first of these hours: on PostgreSQL a row is changed once in a statement.
        first: dict[int, int] = dict(sorted(keys, reverse=True))
        execute(_UNSETTLE, list(first.items()))
        execute(_DROP_DAYS, [(asset, start + HOUR, start, start - LONGEST_DAY) for asset, start in keys])


def unsettle_all(asset: int) -> None:
    """Remove every day of an asset, to be made anew; while holding."""
    Upkeep.objects.filter(pk=asset).update(revision=F("revision") + 1, days_to=NEVER, next_at=NEVER)
    DayRollup.objects.filter(asset_id=asset).delete()


def raw_since(assets: Iterable[int]) -> Mapping[int, int]:
    """Return, of those assets whose older raw readings were dropped, the time (µs) from which all are there."""
    rows = Upkeep.objects.filter(asset_id__in=list(assets), raw_from__isnull=False)
    found = rows.values_list("asset_id", "raw_from")
    return {asset: raw_from for asset, raw_from in found if raw_from is not None}


_UNSETTLE = """
UPDATE telemetry_upkeep SET revision = revision + 1,
    days_to = CASE WHEN days_to > column2 THEN column2 ELSE days_to END,
    next_at = CASE WHEN next_at > column2 THEN column2 ELSE next_at END
FROM ({rows}) AS changed WHERE asset_id = column1 AND claimed_to > column2
"""
_DROP_DAYS = """
DELETE FROM telemetry_dayrollup WHERE (asset_id, start_at) IN (
    SELECT asset_id, start_at FROM ({rows}) AS changed JOIN telemetry_dayrollup
        ON asset_id = column1 AND start_at < column2 AND end_at > column3 AND start_at > column4
)
"""
