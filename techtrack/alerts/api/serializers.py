"""How alerts and their history look on the wire."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from techtrack.accounts.models import User
from techtrack.alerts.api.fields import CODE, NamedAssetField, PersonField
from techtrack.alerts.domain.condition import SEVERITIES
from techtrack.alerts.models import STATES, STATUSES, Alert, AlertEvent
from techtrack.assets.models import Asset, Kind
from techtrack.core.api.fields import MomentField, ObjectField

STAMPS = ["version", "created_at", "updated_at"]


class AlertSerializer(serializers.ModelSerializer[Alert]):
    """One episode of trouble with an asset."""

    equipment = NamedAssetField(Kind.EQUIPMENT, help_text="The asset, if it is equipment; this or `sensor` is set.")
    sensor = NamedAssetField(Kind.SENSOR, help_text="The asset, if it is a sensor; this or `equipment` is set.")
    parameter = serializers.RegexField(CODE, required=False, allow_blank=True, help_text="Fixed once reported.")
    severity = serializers.ChoiceField(choices=SEVERITIES, default="medium")
    title = serializers.CharField(
        max_length=300,
        required=False,
        allow_blank=True,
        help_text="Without one, the first line of the description.",
    )
    timestamp = MomentField(source="raised_at", required=False, help_text="When it began; fixed once reported.")
    state = serializers.ChoiceField(choices=STATES, read_only=True)
    status = serializers.ChoiceField(choices=STATUSES, read_only=True)
    active = serializers.BooleanField(required=False, help_text="False says that the trouble is over.")
    assignee = PersonField(queryset=User.objects.all(), allow_null=True, required=False)
    acknowledged_at = MomentField(read_only=True, allow_null=True)
    shelved_until = MomentField(read_only=True, allow_null=True)
    out_of_service_until = MomentField(read_only=True, allow_null=True)
    escalates_at = MomentField(read_only=True, allow_null=True, help_text="When it becomes graver, if nobody takes it.")
    value = serializers.FloatField(
        read_only=True,
        allow_null=True,
        help_text="What was compared: a reading or its aggregate; a rate, seconds at rest, standard deviations, "
        "a forecast or signals where `condition` is of that kind.",
    )
    limit = serializers.FloatField(read_only=True, allow_null=True, help_text="What it was compared with, if one.")
    raised_at = MomentField(read_only=True)
    returned_at = MomentField(read_only=True, allow_null=True)
    created_at = MomentField(read_only=True)
    updated_at = MomentField(read_only=True)

    class Meta:
        model = Alert
        fields = [
            "id",
            "equipment",
            "sensor",
            "parameter",
            "rule",
            "severity",
            "title",
            "description",
            "timestamp",
            "state",
            "status",
            "active",
            "acknowledged_at",
            "acknowledged_by",
            "ack_comment",
            "latched",
            "shelved_until",
            "shelved_by",
            "shelve_reason",
            "suppressed_by",
            "out_of_service_until",
            "out_of_service_by",
            "out_of_service_reason",
            "late",
            "assignee",
            "occurrences",
            "condition",
            "value",
            "limit",
            "revision",
            "escalates_at",
            "raised_at",
            "returned_at",
            *STAMPS,
        ]
        read_only_fields = [
            "rule",
            "acknowledged_by",
            "ack_comment",
            "latched",
            "shelved_by",
            "shelve_reason",
            "suppressed_by",
            "out_of_service_by",
            "out_of_service_reason",
            "late",
            "occurrences",
            "condition",
            "revision",
        ]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs["asset"] = self._asset(attrs.pop("equipment", None), attrs.pop("sensor", None))
        if self.instance is None:
            if not attrs.get("active", True):
                raise serializers.ValidationError({"active": "An alert begins active."})
            return attrs
        for name, field in {"asset": self._asset_name(), "parameter": "parameter", "raised_at": "timestamp"}.items():
            self._refuse_move(attrs.pop(name, None), name, field)
        return attrs

    def _asset(self, equipment: Asset | None, sensor: Asset | None) -> Asset | None:
        if equipment and sensor:
            raise serializers.ValidationError({"sensor": "An alert has either equipment or a sensor, not both."})
        if not equipment and not sensor and self.instance is None:
            raise serializers.ValidationError({"equipment": "Either equipment or a sensor is required."})
        return equipment or sensor

    def _asset_name(self) -> str:
        return "sensor" if self.initial_data.get("sensor") else "equipment"

    def _refuse_move(self, value: Any, name: str, field: str) -> None:
        """Let a client send back what it read, but not make the alert one about something else."""
        if value is not None and value != getattr(self.instance, name):
            raise serializers.ValidationError({field: "This is fixed once the alert is reported."})


class AlertEventSerializer(serializers.ModelSerializer[AlertEvent]):
    """Something that happened to an alert."""

    at = MomentField(read_only=True, help_text="When it happened to the asset.")
    recorded_at = MomentField(read_only=True, help_text="When it was written down.")
    evidence = ObjectField(read_only=True)

    class Meta:
        model = AlertEvent
        fields = [
            "id",
            "kind",
            "at",
            "recorded_at",
            "actor",
            "before",
            "after",
            "comment",
            "evidence",
            "position",
        ]
        read_only_fields = ["kind", "actor", "before", "after", "comment", "position"]
