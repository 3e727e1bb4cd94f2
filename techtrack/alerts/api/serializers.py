"""How alerts and their history look on the wire."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from rest_framework import serializers

from techtrack.accounts.models import User
from techtrack.alerts import queries
from techtrack.alerts.api.fields import NamedAssetField, PersonField
from techtrack.alerts.domain.condition import SEVERITIES
from techtrack.alerts.models import STATES, STATUSES, Alert, AlertEvent
from techtrack.assets.models import Asset, Kind
from techtrack.core.api.fields import ChoiceField, CodeField, MomentField, ObjectField
from techtrack.core.errors import Fault, Invalid

# What ``value`` and ``limit`` of an alert are; a test compares it with the kinds of conditions that there are.
UNITS = """By `condition`:
`above`, `below`, `outside`, `inside`: the unit of the parameter, of a reading or of the rule's aggregate;
`air_quality`: the unit of the parameter, of the average over the period; of an index too, which is told as the \
concentration that is looked up, and as the one above which the index passes the limit;
`forecast`: the unit of the parameter, where the line will be at the horizon;
`rate_of_change`: the unit of the parameter for each `per` of the condition;
`flatline`: seconds for which the value has rested;
`no_data`: null, since nothing came;
`deviation`: standard deviations from what is normal, negative below it;
`control_chart`: the sum of 2^(n-1) of the rules n of Nelson that are broken (5 is rules 1 and 3), and the limit is 0;
`all_of`, `any_of`: the newest value of a part that holds, in the unit of that part, and mostly no limit."""
STAMPS = ["version", "created_at", "updated_at"]
# Where what people may change of an alert, but not by a PUT or PATCH, is changed.
DOORS = {
    "state": "it follows from the facts, which actions change, such as POST …/acknowledge/",
    "status": "it follows from the facts, which actions change, such as POST …/acknowledge/",
    "version": "what you sent is of another version, read it again",
    **dict.fromkeys(["acknowledged_at", "acknowledged_by", "ack_comment"], "use POST …/acknowledge/"),
    **dict.fromkeys(["shelved_until", "shelved_by", "shelve_reason"], "use POST …/shelve/"),
    **dict.fromkeys(
        ["out_of_service_until", "out_of_service_by", "out_of_service_reason"], "use POST …/out-of-service/"
    ),
    "latched": "use POST …/reset/",
    "suppressed_by": "it follows from silences, work and other alerts",
}


class ReadOnly(Invalid):
    """Something was sent as other than it is that is not written so."""

    code = "read_only"


class AlertSerializer(serializers.ModelSerializer[Alert]):
    """One episode of trouble with an asset."""

    equipment = NamedAssetField(Kind.EQUIPMENT, help_text="The asset, if it is equipment; this or `sensor` is set.")
    sensor = NamedAssetField(Kind.SENSOR, help_text="The asset, if it is a sensor; this or `equipment` is set.")
    parameter = CodeField(required=False, allow_blank=True, help_text="Fixed once reported.")
    severity = ChoiceField(choices=SEVERITIES, default="medium")
    title = serializers.CharField(
        max_length=300,
        required=False,
        allow_blank=True,
        help_text="Without one, the first line of the description.",
    )
    timestamp = MomentField(source="raised_at", required=False, help_text="When it began; fixed once reported.")
    state = ChoiceField(choices=STATES, read_only=True)
    status = ChoiceField(choices=STATUSES, read_only=True)
    active = serializers.BooleanField(required=False, help_text="False says that the trouble is over.")
    assignee = PersonField(queryset=User.objects.all(), allow_null=True, required=False)
    acknowledged_at = MomentField(read_only=True, allow_null=True)
    shelved_until = MomentField(read_only=True, allow_null=True)
    out_of_service_until = MomentField(read_only=True, allow_null=True)
    escalates_at = MomentField(read_only=True, allow_null=True, help_text="When it becomes graver, if nobody takes it.")
    value = serializers.FloatField(
        read_only=True,
        allow_null=True,
        help_text=f"What was compared. {UNITS}",
    )
    limit = serializers.FloatField(
        read_only=True,
        allow_null=True,
        help_text=f"What it was compared with, if one number. {UNITS}",
    )
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


def refuse_facts(told: Mapping[str, Any], serializer: AlertSerializer) -> None:
    """Let a client send back what it read, but not believe that it has changed what is not written here.

    Raises:
        ReadOnly: a read-only member is not as it is now.
    """
    current = serializer.data
    faults = []
    for name, field in serializer.fields.items():
        given = told.get(name, current[name])
        if field.read_only and given != current[name] and not _same_moment(field, given, current[name]):
            here = f"this is {json.dumps(current[name])} now and is not written here"
            faults.append(Fault(f"/{name}", ReadOnly.code, f"{here}: {DOORS.get(name, 'the platform keeps it')}"))
    if faults:
        raise ReadOnly(faults[0].detail, faults=faults)


def _same_moment(field: serializers.Field[Any, Any, Any, Any], given: Any, current: Any) -> bool:
    """Tell whether both are the same time, which clients write in many ways."""
    if not isinstance(field, MomentField) or current is None:
        return False
    try:
        return field.to_internal_value(given) == field.to_internal_value(current)
    except serializers.ValidationError:
        return False


class AlertEventSerializer(serializers.ModelSerializer[AlertEvent]):
    """Something that happened to an alert. Who was told of it, ``comment`` says in full to operators of its site."""

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

    def to_representation(self, instance: AlertEvent) -> dict[str, Any]:
        told: dict[str, Any] = super().to_representation(instance)
        told["comment"], told["evidence"] = self._reader.comment_and_evidence(instance)
        return told

    @cached_property
    def _reader(self) -> queries.Reader:
        return queries.Reader(self.context["request"].auth)
