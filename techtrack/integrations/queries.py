"""Reads of what is brought in: whose readings a unit brings, and the numbers of series."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from techtrack.accounts.domain.access import Access, Role
from techtrack.assets.models import Asset, AssetQuerySet, Sensor
from techtrack.integrations.models import Door, NumberedSeries, PushUnit

Series = tuple[int, str]  # asset id, parameter code
# Of one unit; it has a handful of parts.
MOST_PARTS = 100


def bindings(*, door: Door, unit_id: str, beside: int | None = None) -> list[PushUnit]:
    """Return to which sensors the parts of a unit are bound, of those at the site of ``beside`` where that is given."""
    rows = PushUnit.objects.filter(door=door, unit_id=unit_id).select_related("sensor").order_by("pin")
    found = list(rows[:MOST_PARTS])
    if not found or beside is None:
        return found
    site_id = Asset.objects.filter(pk=beside).values_list("site", flat=True).first()
    return [row for row in found if row.sensor.site_id == site_id]


def sensors(access: Access) -> AssetQuerySet:
    """Return the sensors that a caller may see, with their sites."""
    rows: AssetQuerySet = Sensor.objects.visible_to(access, Role.VIEWER).select_related("site", "type").order_by("pk")
    return rows


def numbers(asset_ids: Iterable[int]) -> dict[Series, int]:
    """Return the numbers of series that have one."""
    rows = NumberedSeries.objects.filter(asset__in=list(asset_ids)).values_list("asset_id", "code", "pk")
    return {(asset_id, code): pk for asset_id, code, pk in rows}


def numbered(number: int) -> Series | None:
    """Return the series of a number."""
    return NumberedSeries.objects.filter(pk=number).values_list("asset_id", "code").first()


def unnumbered(series: Iterable[Series], known: Mapping[Series, int]) -> list[Series]:
    """Return the series that have no number yet, in order."""
    return sorted(set(series) - known.keys())
