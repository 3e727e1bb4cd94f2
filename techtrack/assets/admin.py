"""Assets in Django's admin: its forms, and the services that write."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin

from techtrack.accounts.domain.access import Access
from techtrack.assets import services
from techtrack.assets.models import Asset, AssetType, Equipment, Kind, Parameter, Sensor
from techtrack.core import clock
from techtrack.core.admin import HELD, ServiceAdmin


@admin.register(AssetType)
class AssetTypeAdmin(ServiceAdmin):
    """Kinds of assets."""

    list_display = ["slug", "name", "strict", "expected_interval", "retention"]
    search_fields = ["slug", "name"]
    fields = ["slug", "name", "parameters", "strict", "expected_interval", "retention", *HELD]

    def create(self, by: Access, data: dict[str, Any]) -> AssetType:
        return services.create_asset_type(by=by, now=clock.now(), data=data)

    def edit(self, instance: AssetType, by: Access, changes: dict[str, Any]) -> None:
        services.update_asset_type(asset_type=instance, by=by, changes=changes, expected=None, now=clock.now())

    def drop(self, instance: AssetType, by: Access) -> None:
        services.delete_asset_type(asset_type=instance, by=by, expected=None)


@admin.register(Parameter)
class ParameterAdmin(ServiceAdmin):
    """What is measured."""

    list_display = ["code", "name", "unit", "precision"]
    search_fields = ["code", "name"]
    fields = ["code", "name", "unit", "precision", "labels", *HELD]

    def create(self, by: Access, data: dict[str, Any]) -> Parameter:
        return services.create_parameter(by=by, now=clock.now(), data=data)

    def edit(self, instance: Parameter, by: Access, changes: dict[str, Any]) -> None:
        services.update_parameter(parameter=instance, by=by, changes=changes, expected=None, now=clock.now())

    def drop(self, instance: Parameter, by: Access) -> None:
        services.delete_parameter(parameter=instance, by=by, expected=None)


class AssetAdmin(ServiceAdmin):
    """Assets of one ``kind``."""

    kind: ClassVar[Kind]
    list_display = ["name", "key", "type", "status", "site", "health", "last_seen"]
    list_select_related = ["type", "site", "state"]
    list_filter = ["status", "type", "site"]
    search_fields = ["name", "key", "model", "serial_number", "manufacturer"]
    raw_id_fields = ["parent"]
    fields = [
        "name",
        "key",
        "type",
        "status",
        "site",
        "parent",
        "model",
        "serial_number",
        "manufacturer",
        "installation_date",
        "description",
        "latitude",
        "longitude",
        "expected_interval",
        "attributes",
        "tags",
        *HELD,
    ]

    @admin.display(ordering="state__health")
    def health(self, asset: Asset) -> str:
        """How it is, judged by its open alerts."""
        return asset.state.health

    @admin.display(ordering="state__last_seen")
    def last_seen(self, asset: Asset) -> Any:
        """When it was last heard of."""
        return asset.state.last_seen

    def create(self, by: Access, data: dict[str, Any]) -> Asset:
        return services.create_asset(kind=self.kind, by=by, now=clock.now(), data=_with_slug(data))

    def edit(self, instance: Asset, by: Access, changes: dict[str, Any]) -> None:
        services.update_asset(asset=instance, by=by, changes=_with_slug(changes), expected=None, now=clock.now())

    def drop(self, instance: Asset, by: Access) -> None:
        services.delete_asset(asset=instance, by=by, confirm=instance.name, expected=None)


def _with_slug(data: dict[str, Any]) -> dict[str, Any]:
    chosen = data.get("type")
    return data | {"type": chosen.slug} if chosen else data


@admin.register(Equipment)
class EquipmentAdmin(AssetAdmin):
    """Machines, robots, stations."""

    kind = Kind.EQUIPMENT


@admin.register(Sensor)
class SensorAdmin(AssetAdmin):
    """Air-quality stations and the like."""

    kind = Kind.SENSOR
