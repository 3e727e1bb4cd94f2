"""Units that push by their own firmware: bound to sensors by engineers, and what was refused of what they sent."""

from __future__ import annotations

from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers

from techtrack.assets.models import Sensor
from techtrack.core import clock
from techtrack.core.api.fields import ObjectField, VisibleField
from techtrack.core.api.filters import FilterSet, IdFilter
from techtrack.core.api.viewsets import ReadOnlyViewSet, ResourceViewSet
from techtrack.integrations import services
from techtrack.integrations.models import Door, PushUnit, RejectedPush

MOST_ADDRESSES = 100


@extend_schema_field({"type": "object", "additionalProperties": True})
class SettingsField(ObjectField):
    """What AirGradient's firmware takes as its settings."""


class PushUnitSerializer(serializers.ModelSerializer):
    """A unit whose firmware knows no sensors: by its door and its id, it is bound to one."""

    unit_id = serializers.CharField(
        max_length=100,
        help_text="As its firmware sends it: `esp8266-12345678` for sensor.community, or an AirGradient serial number.",
    )
    pin = serializers.CharField(
        max_length=10,
        default="",
        allow_blank=True,
        help_text="The part of a sensor.community unit (1, 3, 7, 11 …); empty: all parts that no other row names.",
    )
    sensor = VisibleField(queryset=Sensor.objects.all())
    anonymous = serializers.BooleanField(
        required=False, help_text="May push without a key, as most firmwares do; for administrators of the site."
    )
    allowed_addresses = serializers.ListField(
        child=serializers.CharField(max_length=64),
        required=False,
        max_length=MOST_ADDRESSES,
        help_text="Addresses and networks from which it may do so; empty: from anywhere.",
    )
    settings = SettingsField(required=False, help_text="What an AirGradient unit is told that asks for its settings.")

    class Meta:
        model = PushUnit
        fields = [
            *("id", "door", "unit_id", "pin", "sensor", "anonymous", "allowed_addresses", "settings"),
            *("version", "created_at", "updated_at"),
        ]
        read_only_fields = ["version", "created_at", "updated_at"]


class RejectedPushSerializer(serializers.ModelSerializer):
    """A kind of fault of one unit, with the newest body in which it was met; `sensor` is null where nobody knows it."""

    class Meta:
        model = RejectedPush
        fields = [
            *("id", "door", "unit_id", "sensor", "code", "detail", "payload", "size", "address"),
            *("count", "first_at", "last_at"),
        ]
        read_only_fields = fields


class PushUnitFilter(FilterSet):
    """Units by their door, id and sensor."""

    door = django_filters.ChoiceFilter(choices=Door.choices)
    unit_id = django_filters.CharFilter(max_length=100)
    sensor = IdFilter(field_name="sensor_id")


@extend_schema_view(
    list=extend_schema(operation_id="push_units_list"),
    create=extend_schema(operation_id="push_units_create"),
    retrieve=extend_schema(operation_id="push_units_retrieve"),
    update=extend_schema(operation_id="push_units_update"),
    partial_update=extend_schema(operation_id="push_units_partial_update"),
    destroy=extend_schema(operation_id="push_units_destroy"),
)
class PushUnitViewSet(ResourceViewSet):
    """Units bound to sensors; engineers see and bind those of their sites, administrators let them in without a key."""

    queryset = PushUnit.objects.select_related("sensor")
    serializer_class = PushUnitSerializer
    filterset_class = PushUnitFilter
    ordering_fields = ["unit_id", "created_at", "updated_at"]
    ordering = ["unit_id", "id"]

    def add(self, data: dict[str, Any]) -> PushUnit:
        return services.create_push_unit(by=self.request.auth, data=data, now=clock.now())

    def edit(self, instance: PushUnit, data: dict[str, Any], expected: int | None) -> PushUnit:
        return services.update_push_unit(
            unit=instance, by=self.request.auth, changes=data, expected=expected, now=clock.now()
        )

    def drop(self, instance: PushUnit, expected: int | None) -> None:
        services.delete_push_unit(unit=instance, by=self.request.auth, expected=expected)


@extend_schema_view(
    list=extend_schema(operation_id="push_units_rejected_list"),
    retrieve=extend_schema(operation_id="push_units_rejected_retrieve"),
)
class RejectedPushViewSet(ReadOnlyViewSet):
    """What was refused of units that push, newest first: one row for each kind of fault of a unit."""

    queryset = RejectedPush.objects.all()
    serializer_class = RejectedPushSerializer
    filterset_class = PushUnitFilter
    ordering_fields = ["last_at", "first_at", "count"]
    ordering = ["-last_at", "-id"]
