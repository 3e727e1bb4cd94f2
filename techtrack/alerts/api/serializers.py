"""How alerts, their history and rules look on the wire."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from techtrack.accounts.models import Site, User
from techtrack.alerts.api.fields import (
    ConditionsField,
    DurationTextField,
    NamedAssetField,
    PersonField,
)
from techtrack.alerts.domain.condition import SEVERITIES
from techtrack.alerts.models import STATES, STATUSES, Alert, AlertEvent, Rule
from techtrack.assets.models import Asset, AssetType, Kind
from techtrack.core.api.fields import (
    IsoDurationField,
    MomentField,
    NumberField,
    ObjectField,
    VisibleField,
    WholeSerializer,
)
from techtrack.core.api.filters import BIGGEST_ID

CODE = r"^[a-z][a-z0-9_]{0,63}\Z"
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
    value = serializers.FloatField(read_only=True, allow_null=True)
    limit = serializers.FloatField(read_only=True, allow_null=True)
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
            "assignee",
            "occurrences",
            "value",
            "limit",
            "raised_at",
            "returned_at",
            *STAMPS,
        ]
        read_only_fields = ["rule", "acknowledged_by", "occurrences"]

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


class AcknowledgeSerializer(serializers.Serializer[Any]):
    """What an operator may say when taking an alert."""

    comment = serializers.CharField(max_length=2000, allow_blank=True, default="")


class AlertEventSerializer(serializers.ModelSerializer[AlertEvent]):
    """Something that happened to an alert."""

    at = MomentField(read_only=True, help_text="When it happened to the asset.")
    recorded_at = MomentField(read_only=True, help_text="When it was written down.")
    evidence = ObjectField(read_only=True)

    class Meta:
        model = AlertEvent
        fields = ["id", "kind", "at", "recorded_at", "actor", "comment", "evidence"]
        read_only_fields = ["kind", "actor", "comment"]


# -- Rules ----------------------------------------------------------------------------------------------------


def everywhere() -> dict[str, Any]:
    """Return the scope of a rule that names none: every asset that emits the parameter."""
    return {"site": None, "asset_type": None, "assets": [], "tags": []}


class AssetTypeField(serializers.SlugRelatedField[AssetType]):
    """The slug of an asset type."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("slug", queryset=AssetType.objects.all(), **kwargs)


class ScopeSerializer(WholeSerializer):
    """Which assets a rule watches: those that match all that is set."""

    asset_type = AssetTypeField(allow_null=True, default=None)
    site = VisibleField(queryset=Site.objects.all(), allow_null=True, default=None)
    assets = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=BIGGEST_ID), max_length=1000, default=list
    )
    tags = serializers.ListField(child=serializers.CharField(max_length=64), max_length=50, default=list)

    def validate_assets(self, assets: list[int]) -> list[int]:
        # What the rule names already may have been deleted since; to send it back is no mistake.
        known = set(self.instance.assets) if isinstance(self.instance, Rule) else set()
        asked = set(assets) - known
        found = Asset.objects.visible_to(self.context["request"].auth).filter(pk__in=asked)
        absent = asked.difference(found.values_list("pk", flat=True))
        if absent:
            raise serializers.ValidationError(f"There is no asset {min(absent)}.", code="does_not_exist")
        return sorted(set(assets))


class OpenTaskSerializer(WholeSerializer):
    """The task that an alert of the rule opens."""

    title = serializers.CharField(max_length=200, required=False)
    priority = serializers.IntegerField(min_value=1, max_value=4, required=False, help_text="1 low … 4 urgent")
    description = serializers.CharField(max_length=10_000, allow_blank=True, required=False)


class GuidanceSerializer(WholeSerializer):
    """What the operator is told with the alert."""

    cause = serializers.CharField(max_length=2000, allow_blank=True, required=False)
    consequence = serializers.CharField(max_length=2000, allow_blank=True, required=False)
    action = serializers.CharField(max_length=2000, allow_blank=True, required=False)
    respond_within = DurationTextField(required=False)


class RuleSerializer(serializers.ModelSerializer[Rule]):
    """What to watch, and when it is an alert."""

    scope = ScopeSerializer(source="*", default=everywhere)
    parameter = serializers.RegexField(CODE)
    conditions = ConditionsField()
    deadband = NumberField(lowest=0.0, default=0.0)
    on_delay = IsoDurationField(required=False)
    off_delay = IsoDurationField(required=False)
    open_task = OpenTaskSerializer(allow_null=True, required=False)
    guidance = GuidanceSerializer(required=False)
    created_at = MomentField(read_only=True)
    updated_at = MomentField(read_only=True)

    class Meta:
        model = Rule
        fields = [
            "id",
            "name",
            "scope",
            "parameter",
            "conditions",
            "deadband",
            "on_delay",
            "off_delay",
            "open_task",
            "guidance",
            "enabled",
            *STAMPS,
        ]

    def validate_open_task(self, task: dict[str, Any] | None) -> dict[str, Any] | None:
        return None if task is None else dict(task)

    def validate_guidance(self, guidance: dict[str, Any]) -> dict[str, Any]:
        return dict(guidance)
