"""Addresses of telling people."""

from __future__ import annotations

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from techtrack.notifications.api.viewsets import ChannelViewSet, DeliveryViewSet, RouteViewSet

router = SimpleRouter()
router.register("channels", ChannelViewSet)
router.register("routes", RouteViewSet)
router.register("deliveries", DeliveryViewSet)

urlpatterns = [path("api/", include(router.urls))]
