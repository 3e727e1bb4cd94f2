"""The doors for alerts and their history."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from rest_framework import mixins

from techtrack.alerts import services
from techtrack.alerts.api.actions import AlertActions
from techtrack.alerts.api.filters import AlertFilter, AssetAlertFilter
from techtrack.alerts.api.serializers import AlertEventSerializer, AlertSerializer, refuse_facts
from techtrack.alerts.models import Alert, AlertEvent
from techtrack.assets.models import Asset, Kind
from techtrack.core import clock
from techtrack.core.api.viewsets import StrictViewSet

EDITABLE = {"title", "description", "severity", "assignee"}
ALERTS = Alert.objects.select_related("asset")
SEARCHED = ["title", "description", "asset__name"]
NEWEST = ["-raised_at"]
ORDERED = ["id", "raised_at", "returned_at", "acknowledged_at", "updated_at", "occurrences"]


class AlertViewSet(AlertActions):
    """Alerts: what is wrong, who has taken it, and what is over."""

    queryset = ALERTS
    serializer_class = AlertSerializer
    filterset_class = AlertFilter
    search_fields = SEARCHED
    ordering_fields = ORDERED
    ordering = NEWEST

    def add(self, data: dict[str, Any]) -> Alert:
        return services.create_alert(by=self.request.auth, now=clock.now(), data=data)

    def edit(self, instance: Alert, data: dict[str, Any], expected: int | None) -> Alert:
        if expected in {None, instance.version}:
            refuse_facts(self.request.data, AlertSerializer(instance, context=self.get_serializer_context()))
        # That an episode is over is a fact, not a default: a PUT that does not speak of it keeps it.
        # Nor is what a rule has found: of its alert a PUT writes what it names.
        told = set(self.request.data)
        names = (EDITABLE if instance.rule_id is None else EDITABLE & told) | ({"active"} & told)
        changes = {name: value for name, value in data.items() if name in names}
        return services.update_alert(
            alert=instance, by=self.request.auth, changes=changes, expected=expected, now=clock.now()
        )

    def drop(self, instance: Alert, expected: int | None) -> None:
        services.delete_alert(alert=instance, by=self.request.auth, expected=expected)


class AlertEventViewSet(mixins.ListModelMixin, StrictViewSet):
    """The history of one alert, oldest first."""

    queryset = AlertEvent.objects.all()
    serializer_class = AlertEventSerializer
    ordering_fields = ["id"]
    ordering = ["id"]

    def get_queryset(self) -> QuerySet:
        visible = Alert.objects.visible_to(self.request.auth)
        rows = AlertEvent.objects.select_related("alert__asset")
        return rows.filter(alert=get_object_or_404(visible, pk=self.kwargs["alert_pk"]))


class AssetAlertViewSet(mixins.ListModelMixin, StrictViewSet):
    """The alerts of one asset, newest first."""

    queryset = ALERTS
    serializer_class = AlertSerializer
    filterset_class = AssetAlertFilter
    search_fields = SEARCHED
    ordering_fields = ORDERED
    ordering = NEWEST
    kind = Kind.EQUIPMENT

    def get_queryset(self) -> QuerySet:
        visible = Asset.objects.visible_to(self.request.auth).filter(kind=self.kind)
        return super().get_queryset().filter(asset=get_object_or_404(visible, pk=self.kwargs["asset_pk"]))


class EquipmentAlertViewSet(AssetAlertViewSet):
    """The alerts of one piece of equipment, newest first."""


class SensorAlertViewSet(AssetAlertViewSet):
    """The alerts of one sensor, newest first."""

    kind = Kind.SENSOR
