"""The doors for alerts and rules."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from techtrack.alerts import services
from techtrack.alerts.api.filters import AlertFilter, AssetAlertFilter, RuleFilter
from techtrack.alerts.api.serializers import (
    AcknowledgeSerializer,
    AlertEventSerializer,
    AlertSerializer,
    RuleSerializer,
)
from techtrack.alerts.models import Alert, AlertEvent, Rule
from techtrack.assets.models import Asset, Kind
from techtrack.core import clock
from techtrack.core.api import concurrency, idempotency
from techtrack.core.api.viewsets import ResourceViewSet, StrictViewSet

EDITABLE = {"title", "description", "severity", "assignee"}
ALERTS = Alert.objects.select_related("asset")
SEARCHED = ["title", "description", "asset__name"]
NEWEST = ["-raised_at"]
ORDERED = ["id", "raised_at", "returned_at", "acknowledged_at", "updated_at", "occurrences"]


class AlertViewSet(ResourceViewSet):
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
        # That an episode is over is a fact, not a default: a PUT that does not speak of it keeps it.
        names = EDITABLE | ({"active"} & set(self.request.data))
        changes = {name: value for name, value in data.items() if name in names}
        return services.update_alert(
            alert=instance, by=self.request.auth, changes=changes, expected=expected, now=clock.now()
        )

    def drop(self, instance: Alert, expected: int | None) -> None:
        services.delete_alert(alert=instance, by=self.request.auth, expected=expected)

    @extend_schema(request=AcknowledgeSerializer, responses=AlertSerializer)
    @action(detail=True, methods=["post"])
    def acknowledge(self, request: Request, pk: str) -> Response | HttpResponse:
        """Take the alert; the second to try gets 409 with the name of the first."""
        return idempotency.once(request, lambda: self._acknowledge(request))

    def _acknowledge(self, request: Request) -> Response:
        alert = self.get_object()
        said = AcknowledgeSerializer(data=request.data)
        said.is_valid(raise_exception=True)
        taken = services.acknowledge_alert(
            alert=alert, by=self.request.auth, comment=said.validated_data["comment"], now=clock.now()
        )
        return concurrency.tag(Response(self.fresh(taken)), taken)


class AlertEventViewSet(mixins.ListModelMixin, StrictViewSet):
    """The history of one alert, oldest first."""

    queryset = AlertEvent.objects.all()
    serializer_class = AlertEventSerializer
    ordering_fields = ["id"]
    ordering = ["id"]

    def get_queryset(self) -> QuerySet:
        visible = Alert.objects.visible_to(self.request.auth)
        return AlertEvent.objects.filter(alert=get_object_or_404(visible, pk=self.kwargs["alert_pk"]))


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


class RuleViewSet(ResourceViewSet):
    """Rules: what to watch, and when it is an alert."""

    queryset = Rule.objects.select_related("asset_type", "site")
    serializer_class = RuleSerializer
    filterset_class = RuleFilter
    search_fields = ["name", "parameter"]
    ordering_fields = ["id", "name", "parameter", "created_at", "updated_at"]
    ordering = ["name"]

    def add(self, data: dict[str, Any]) -> Rule:
        return services.create_rule(by=self.request.auth, now=clock.now(), data=data)

    def edit(self, instance: Rule, data: dict[str, Any], expected: int | None) -> Rule:
        return services.update_rule(
            rule=instance, by=self.request.auth, changes=data, expected=expected, now=clock.now()
        )

    def drop(self, instance: Rule, expected: int | None) -> None:
        services.delete_rule(rule=instance, by=self.request.auth, expected=expected, now=clock.now())
