"""Addresses of telling people."""

from __future__ import annotations

from typing import Any

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from techtrack.notifications.api.channels import ChannelViewSet
from techtrack.notifications.api.deliveries import DeliveryViewSet
from techtrack.notifications.api.people import PreferenceViewSet, RotaViewSet
from techtrack.notifications.api.routes import RouteViewSet

router = SimpleRouter()
router.register("channels", ChannelViewSet)
router.register("routes", RouteViewSet)
router.register("rotas", RotaViewSet)
router.register("deliveries", DeliveryViewSet)

MINE: dict[str, Any] = {"get": "retrieve", "put": "update", "patch": "partial_update"}

urlpatterns = [
    path("api/accounts/me/notifications/", PreferenceViewSet.as_view(MINE)),
    path("api/", include(router.urls)),
]
