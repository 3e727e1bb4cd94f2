"""Addresses of alerts and rules, and of the alerts of an asset."""

from __future__ import annotations

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from techtrack.alerts.api.viewsets import (
    AlertEventViewSet,
    AlertViewSet,
    EquipmentAlertViewSet,
    RuleViewSet,
    SensorAlertViewSet,
)

router = SimpleRouter()
router.register("alerts", AlertViewSet, basename="alert")
router.register("rules", RuleViewSet, basename="rule")

urlpatterns = [
    path("api/alerts/<int:alert_pk>/events/", AlertEventViewSet.as_view({"get": "list"}), name="alert-events"),
    path(
        "api/equipment/<int:asset_pk>/alerts/", EquipmentAlertViewSet.as_view({"get": "list"}), name="equipment-alerts"
    ),
    path("api/sensors/<int:asset_pk>/alerts/", SensorAlertViewSet.as_view({"get": "list"}), name="sensor-alerts"),
    path("api/", include(router.urls)),
]
