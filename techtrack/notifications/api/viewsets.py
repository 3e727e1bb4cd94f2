"""Channels, routes and deliveries as resources."""

from __future__ import annotations

from typing import Any

from techtrack.core import clock
from techtrack.core.api.viewsets import ReadOnlyViewSet, ResourceViewSet
from techtrack.notifications import services
from techtrack.notifications.api.filters import DeliveryFilter, SiteFilter
from techtrack.notifications.api.serializers import ChannelSerializer, DeliverySerializer, RouteSerializer
from techtrack.notifications.models import Channel, Delivery, Route


class ChannelViewSet(ResourceViewSet):
    """Destinations of messages; operators read them, engineers manage them."""

    queryset = Channel.objects.all()
    serializer_class = ChannelSerializer
    filterset_class = SiteFilter
    ordering_fields = ["name", "created_at", "updated_at"]
    ordering = ["name", "id"]
    search_fields = ["name"]

    def add(self, data: dict[str, Any]) -> Channel:
        return services.create_channel(by=self.request.auth, data=data, now=clock.now())

    def edit(self, instance: Channel, data: dict[str, Any], expected: int | None) -> Channel:
        return services.update_channel(
            by=self.request.auth, channel=instance, expected=expected, now=clock.now(), changes=data
        )

    def drop(self, instance: Channel, expected: int | None) -> None:
        services.delete_channel(by=self.request.auth, channel=instance, expected=expected, now=clock.now())


class RouteViewSet(ResourceViewSet):
    """Which alerts go to which channels; operators read routes, engineers manage them."""

    queryset = Route.objects.select_related("asset_type").prefetch_related("channels")
    serializer_class = RouteSerializer
    filterset_class = SiteFilter
    ordering_fields = ["name", "created_at", "updated_at"]
    ordering = ["name", "id"]
    search_fields = ["name"]

    def add(self, data: dict[str, Any]) -> Route:
        return services.create_route(by=self.request.auth, data=data, now=clock.now())

    def edit(self, instance: Route, data: dict[str, Any], expected: int | None) -> Route:
        return services.update_route(
            by=self.request.auth, route=instance, expected=expected, now=clock.now(), changes=data
        )

    def drop(self, instance: Route, expected: int | None) -> None:
        services.delete_route(by=self.request.auth, route=instance, expected=expected)


class DeliveryViewSet(ReadOnlyViewSet):
    """What was sent, what waits and what was given up."""

    queryset = Delivery.objects.all()
    lookup_field = "id"
    serializer_class = DeliverySerializer
    filterset_class = DeliveryFilter
    ordering_fields = ["created_at", "next_attempt_at", "sent_at"]
    ordering = ["-created_at", "-id"]
