"""Addresses of alerts and rules, and of the alerts of an asset."""

from __future__ import annotations

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from techtrack.alerts.api.actions import NoSuchActionView
from techtrack.alerts.api.explain import AlertExplanationView
from techtrack.alerts.api.kpi import AlarmKpiView
from techtrack.alerts.api.lab import PreviewRunView, PreviewView
from techtrack.alerts.api.rules import RuleRevisionViewSet, RuleViewSet
from techtrack.alerts.api.silences import SilenceViewSet
from techtrack.alerts.api.viewsets import (
    AlertEventViewSet,
    AlertViewSet,
    EquipmentAlertViewSet,
    SensorAlertViewSet,
)

router = SimpleRouter()
router.register("alerts", AlertViewSet, basename="alert")
router.register("rules", RuleViewSet, basename="rule")
router.register("silences", SilenceViewSet, basename="silence")

urlpatterns = [
    path("api/alerts/kpi/", AlarmKpiView.as_view(), name="alerts-kpi"),
    path("api/alerts/<int:alert_pk>/explain/", AlertExplanationView.as_view(), name="alert-explain"),
    path("api/alerts/<int:alert_pk>/events/", AlertEventViewSet.as_view({"get": "list"}), name="alert-events"),
    path("api/rules/preview/", PreviewView.as_view(), name="rules-preview"),
    path("api/rules/previews/<int:pk>/", PreviewRunView.as_view(), name="rules-preview-run"),
    path("api/rules/<int:rule_pk>/revisions/", RuleRevisionViewSet.as_view({"get": "list"}), name="rule-revisions"),
    path(
        "api/equipment/<int:asset_pk>/alerts/", EquipmentAlertViewSet.as_view({"get": "list"}), name="equipment-alerts"
    ),
    path("api/sensors/<int:asset_pk>/alerts/", SensorAlertViewSet.as_view({"get": "list"}), name="sensor-alerts"),
    path("api/", include(router.urls)),
    # After all that there is: a slip of the finger is told what there is.
    path("api/alerts/<int:pk>/<slug:name>/", NoSuchActionView.as_view(), name="alert-no-such-action"),
]
