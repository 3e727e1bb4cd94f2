"""Channels, routes and deliveries in Django's admin; services write."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest

from techtrack.accounts.domain.access import Access
from techtrack.core import clock
from techtrack.core.admin import HELD, ReadOnly, ServiceAdmin
from techtrack.notifications import services
from techtrack.notifications.models import Channel, Delivery, Route


@admin.register(Channel)
class ChannelAdmin(ServiceAdmin):
    """Destinations."""

    list_display = ["name", "kind", "site", "enabled", "updated_at"]
    list_filter = ["kind", "enabled", "site"]
    list_select_related = ["site"]
    search_fields = ["name"]
    fields = ["name", "kind", "config", "site", "enabled", *HELD]

    def create(self, by: Access, data: dict[str, Any]) -> Channel:
        return services.create_channel(by=by, data=data, now=clock.now())

    def edit(self, instance: Channel, by: Access, changes: dict[str, Any]) -> None:
        services.update_channel(channel=instance, by=by, changes=changes, expected=None, now=clock.now())

    def drop(self, instance: Channel, by: Access) -> None:
        services.delete_channel(channel=instance, by=by, expected=None, now=clock.now())


@admin.register(Route)
class RouteAdmin(ServiceAdmin):
    """Who gets what."""

    list_display = ["name", "site", "asset_type", "minimum_severity", "enabled", "updated_at"]
    list_filter = ["enabled", "site"]
    list_select_related = ["site", "asset_type"]
    search_fields = ["name"]
    fields = ["name", "site", "asset_type", "minimum_severity", "tags", "channels", "enabled", *HELD]

    def create(self, by: Access, data: dict[str, Any]) -> Route:
        return services.create_route(by=by, data=_with_ids(data), now=clock.now())

    def edit(self, instance: Route, by: Access, changes: dict[str, Any]) -> None:
        services.update_route(route=instance, by=by, changes=_with_ids(changes), expected=None, now=clock.now())

    def drop(self, instance: Route, by: Access) -> None:
        services.delete_route(route=instance, by=by, expected=None)

    def save_related(self, request: HttpRequest, form: ModelForm, formsets: Any, change: bool) -> None:  # noqa: FBT001 - Django's
        """Do nothing: the service has written the channels with the rest."""


def _with_ids(data: dict[str, Any]) -> dict[str, Any]:
    if "channels" not in data:
        return data
    rest = {name: value for name, value in data.items() if name != "channels"}
    return {**rest, "channel_ids": [channel.pk for channel in data["channels"]]}


@admin.register(Delivery)
class DeliveryAdmin(ReadOnly, admin.ModelAdmin):
    """What was sent, what waits and what was given up."""

    list_display = ["subject", "channel", "event", "state", "attempts", "created_at", "sent_at"]
    list_filter = ["state", "event", "channel"]
    list_select_related = ["channel"]
    search_fields = ["subject"]
