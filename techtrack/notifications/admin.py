"""Channels, routes, rotas and deliveries in Django's admin; services write."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest

from techtrack.accounts.domain.access import Access
from techtrack.core import clock
from techtrack.core.admin import HELD, ReadOnly, ServiceAdmin
from techtrack.notifications import services
from techtrack.notifications.models import Channel, Delivery, Rota, Route


@admin.register(Channel)
class ChannelAdmin(ServiceAdmin):
    """Destinations."""

    list_display = ["name", "kind", "site", "enabled", "updated_at"]
    list_filter = ["kind", "enabled", "site"]
    list_select_related = ["site"]
    search_fields = ["name"]
    readonly_fields = ["owner", "last_sent_at", "failing_since", "error", *HELD]
    fields = ["name", "kind", "config", "site", "subject_template", "body_template", "enabled", *readonly_fields]

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
    readonly_fields = ["people", "rotas", "group_by", "escalation", *HELD]
    fields = [
        *("name", "site", "asset_type", "minimum_severity", "tags", "channels"),
        *("group_wait", "group_interval", "repeat_every", "tell_returned", "enabled"),
        *readonly_fields,
    ]

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


@admin.register(Rota)
class RotaAdmin(ReadOnly, admin.ModelAdmin):
    """Who is on call; the API writes it."""

    list_display = ["name", "site", "turn", "starts_at", "timezone"]
    list_filter = ["site"]
    list_select_related = ["site"]
    search_fields = ["name"]


@admin.register(Delivery)
class DeliveryAdmin(ReadOnly, admin.ModelAdmin):
    """What was sent, what waits and what was given up."""

    list_display = ["subject", "channel", "event", "state", "attempts", "created_at", "sent_at"]
    list_filter = ["state", "event", "channel"]
    list_select_related = ["channel"]
    search_fields = ["subject"]
    actions = ["try_again"]

    @admin.action(description="Try again what was given up")
    def try_again(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Queue the chosen messages that were given up."""
        person: Any = request.user
        rows = Delivery.objects.filter(pk__in=queryset.values("pk"))
        count = services.retry_deliveries(rows=rows, by=person.access(), now=clock.now())
        self.message_user(request, f"{count} wait to be sent again")
