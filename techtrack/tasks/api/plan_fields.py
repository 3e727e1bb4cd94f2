"""How plans look on the wire."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from techtrack.accounts.models import Site
from techtrack.assets.models import Asset, AssetType, Equipment, Kind, Sensor
from techtrack.core import clock
from techtrack.core.api.fields import (
    IsoDurationField,
    MomentField,
    ObjectField,
    ResourceSerializer,
    VisibleField,
)
from techtrack.core.api.filters import BIGGEST_ID
from techtrack.core.clock import isoformat
from techtrack.tasks.api.steps import ChecklistField
from techtrack.tasks.domain.plans import MOST_TRIGGERS
from techtrack.tasks.domain.plans import Kind as Trigger
from techtrack.tasks.domain.reasons import Reason
from techtrack.tasks.models import MOST_PEOPLE, Course, Plan, Priority

TRIGGERS = ("timezone", "schedule", "meters", "conditions", "lead_time", "season")
LONGEST_ESTIMATE = timedelta(days=366)
NULLABLE_TIME = {"type": ["string", "null"], "format": "date-time"}
OUTLOOK: dict[str, Any] = {
    "type": "object",
    "required": ["kind", "place", "due", "opens", "reason", "detail", "missed"],
    "properties": {
        "kind": {"type": "string", "enum": [kind.value for kind in Trigger]},
        "place": {"type": "integer", "description": "Which of the triggers of its kind."},
        "due": NULLABLE_TIME,
        "opens": NULLABLE_TIME,
        "reason": {"type": "string", "enum": [reason.value for reason in Reason]},
        "detail": {"type": "string", "description": "The same for people."},
        "missed": {"type": "integer", "description": "Earlier dates that bring no task any more."},
    },
}
SCHEDULE = {
    "type": ["object", "null"],
    "required": ["rrule", "dtstart"],
    "properties": {
        "rrule": {"type": "string", "description": "RFC 5545; daily, weekly, monthly, yearly, or some hours."},
        "dtstart": {"type": "string", "description": "On the clock of `timezone`, such as 2026-11-02T06:00."},
        "rdate": {"type": "array", "items": {"type": "string"}},
        "exdate": {"type": "array", "items": {"type": "string"}},
        "anchor": {"type": "string", "enum": ["scheduled", "completed"]},
        "catch_up": {"type": "string", "enum": ["skip", "all", "one"]},
    },
}
METER = {
    "type": "object",
    "required": ["meter", "every"],
    "properties": {
        "meter": {
            "type": "object",
            "required": ["kind", "parameter"],
            "properties": {
                "kind": {"type": "string", "enum": ["hours", "cycles", "dose", "counter"]},
                "parameter": {"type": "string"},
                "above": {"type": ["number", "null"]},
                "most_per_day": {"type": ["number", "null"]},
            },
        },
        "every": {"type": "number"},
    },
}
CONDITION = {"type": "object", "required": ["rule"], "properties": {"rule": {"type": "integer"}}}
SEASON = {
    "type": ["object", "null"],
    "required": ["from", "to"],
    "properties": {"from": {"type": "string"}, "to": {"type": "string"}},
}


@extend_schema_field(SCHEDULE)
class ScheduleField(ObjectField):
    """When work comes by the calendar."""


@extend_schema_field(SEASON)
class SeasonField(ObjectField):
    """The part of the year in which work is wanted."""


@extend_schema_field(OUTLOOK)
class OutlookField(ObjectField):
    """What one trigger of a plan says."""


@extend_schema_field({"type": "array", "maxItems": MOST_TRIGGERS, "items": METER})
class MetersField(serializers.ListField):
    """What is counted, and how often the work comes by it."""


@extend_schema_field({"type": "array", "maxItems": MOST_TRIGGERS, "items": CONDITION})
class ConditionsField(serializers.ListField):
    """The rules whose alerts ask for the work."""


class TypeSlugField(serializers.SlugRelatedField[AssetType]):
    """The slug of an asset type."""

    default_error_messages = {"does_not_exist": "There is no asset type {value}."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("slug", queryset=AssetType.objects.all(), **kwargs)


@extend_schema_field({"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/PlanAsset"}]})
class NextField(serializers.Field):
    """What comes first, of the assets that the reader may see."""


class PlanSerializer(ResourceSerializer):
    """What asks for the same work again and again: by the calendar, by meters, by alerts, whichever comes first.

    It is for one asset (`equipment` or `sensor`), or for every asset of a type, at one site or anywhere. At each it has
    one unfinished task at a time.
    """

    title = serializers.CharField(
        max_length=300, required=False, allow_blank=True, help_text="Of its tasks; the name where blank."
    )
    priority = serializers.ChoiceField(choices=Priority.choices, required=False)
    estimated_time = IsoDurationField(required=False, allow_null=True, longest=LONGEST_ESTIMATE)
    checklist = ChecklistField(required=False)
    owners = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=BIGGEST_ID), max_length=MOST_PEOPLE, required=False
    )
    equipment = VisibleField(queryset=Equipment.objects.all(), required=False, allow_null=True)
    sensor = VisibleField(queryset=Sensor.objects.all(), required=False, allow_null=True)
    asset_type = TypeSlugField(required=False, allow_null=True)
    site = VisibleField(
        queryset=Site.objects.all(), required=False, allow_null=True, help_text="Of a type: its assets there alone."
    )
    timezone = serializers.CharField(
        max_length=64, required=False, help_text="An IANA name; that of the site unless said, else UTC."
    )
    schedule = ScheduleField(required=False, allow_null=True)
    meters = MetersField(child=ObjectField(), required=False, max_length=MOST_TRIGGERS)
    conditions = ConditionsField(child=ObjectField(), required=False, max_length=MOST_TRIGGERS)
    lead_time = IsoDurationField(required=False, help_text="So long before they are due tasks are opened.")
    season = SeasonField(required=False, allow_null=True)
    last_done = MomentField(
        required=False, allow_null=True, help_text="When the work was done last; what is counted is counted from then."
    )
    next = NextField(read_only=True)

    class Meta:
        model = Plan
        fields = [
            "id",
            "name",
            "title",
            "description",
            "priority",
            "estimated_time",
            "checklist",
            "owners",
            "equipment",
            "sensor",
            "asset_type",
            "site",
            *TRIGGERS,
            "last_done",
            "enabled",
            "next",
            "created_at",
            "updated_at",
            "version",
        ]
        read_only_fields = ["created_at", "updated_at", "version"]
        # What the database demands of asset and type is said below, with the fields' names.
        validators: ClassVar[list[Any]] = []

    def to_representation(self, instance: Plan) -> dict[str, Any]:
        estimate = instance.estimated_seconds
        return {
            "id": instance.pk,
            "name": instance.name,
            "title": instance.title,
            "description": instance.description,
            "priority": instance.priority,
            "estimated_time": None if estimate is None else clock.iso_duration(timedelta(seconds=estimate)),
            "checklist": instance.checklist,
            "owners": instance.owners,
            "equipment": instance.equipment,
            "sensor": instance.sensor,
            "asset_type": instance.asset_type.slug if instance.asset_type else None,
            "site": instance.site_id,
            **_triggers(instance),
            "last_done": isoformat(instance.last_done) if instance.last_done else None,
            "enabled": instance.enabled,
            "next": self._next(instance),
            "created_at": isoformat(instance.created_at),
            "updated_at": isoformat(instance.updated_at),
            "version": instance.version,
        }

    def _next(self, plan: Plan) -> dict[str, Any] | None:
        found = self._courses.get(getattr(plan, "next_course", None) or 0)
        return None if found is None else course_shown(found)

    @cached_property
    def _courses(self) -> dict[int, Course]:
        """What comes first of each plan of a page, asked for once."""
        rows: Any = getattr(self.parent, "instance", None) or [self.instance]
        wanted = {getattr(row, "next_course", None) for row in rows} - {None}
        return Course.objects.select_related("asset").in_bulk(wanted) if wanted else {}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Bring place, triggers and estimate into the columns that the services take."""
        held = self.instance if isinstance(self.instance, Plan) else None
        attrs = attrs | _place(attrs, held, partial=bool(self.partial))
        for name in ("equipment", "sensor"):
            attrs.pop(name, None)
        told = {name: attrs.pop(name) for name in TRIGGERS if name in attrs}
        if told or not self.partial:
            before = held.triggers if held and self.partial else {}
            attrs["triggers"] = _asked(before, told, attrs.get("asset"), attrs.get("site"))
        if "estimated_time" in attrs or not self.partial:
            estimate = attrs.pop("estimated_time", None)
            attrs["estimated_seconds"] = None if estimate is None else int(estimate.total_seconds())
        return attrs if self.partial else {"owners": [], **attrs}


def _place(attrs: dict[str, Any], held: Plan | None, *, partial: bool) -> dict[str, Any]:
    """Return the columns that say what the plan is for: one asset, or a type with or without a site."""
    names = ("equipment", "sensor", "asset_type", "site")
    if partial and not any(name in attrs for name in names):
        return {}
    given = [attrs[name] for name in names[:2] if attrs.get(name) is not None]
    if len(given) > 1:
        raise serializers.ValidationError({"sensor": "A plan is for equipment or a sensor, not both."})
    kept = held if partial else None
    of_type = attrs.get("asset_type", None if given else kept and kept.asset_type)
    emptied = any(name in attrs for name in names[:2]) or attrs.get("asset_type") is not None
    asset = given[0] if given else None if emptied or kept is None else kept.asset
    site = attrs.get("site", None if asset else kept and kept.site)
    if (asset is None) is (of_type is None):
        raise serializers.ValidationError({"asset_type": "A plan is for one asset, or for a type of assets."})
    if asset is not None and site is not None:
        raise serializers.ValidationError({"site": "A plan for one asset is where the asset is."})
    return {"asset": asset, "asset_type": of_type, "site": site}


def _asked(before: dict[str, Any], told: dict[str, Any], asset: Asset | None, site: Site | None) -> dict[str, Any]:
    """Return what asks for tasks, as the column keeps it."""
    there = asset.site if asset is not None else site
    zone = {"timezone": there.timezone if there is not None else "UTC"}
    if "lead_time" in told:
        told = told | {"lead_time": clock.iso_duration(told["lead_time"])}
    asked = zone | before | told
    return {name: value for name, value in asked.items() if value not in (None, [])}


def _triggers(plan: Plan) -> dict[str, Any]:
    nothing: dict[str, Any] = dict.fromkeys(TRIGGERS) | {"timezone": "UTC", "meters": [], "conditions": []}
    return nothing | {"lead_time": "PT0S", **plan.triggers}


def course_shown(row: Course) -> dict[str, Any]:
    """Return what a plan asks of an asset, as it looks on the wire."""
    return {
        "equipment": row.asset_id if row.asset.kind == Kind.EQUIPMENT else None,
        "sensor": row.asset_id if row.asset.kind == Kind.SENSOR else None,
        "asset_name": row.asset.name,
        "task": row.task_id,
        "due": isoformat(row.due) if row.due else None,
        "opens": isoformat(row.opens) if row.opens else None,
        "kind": row.kind or None,
        "reason": row.reason or None,
        "detail": row.detail,
        "outlooks": row.outlooks,
        "last_closed": isoformat(row.closed) if row.closed else None,
        "tasks_so_far": row.made,
        "looked_at": isoformat(row.looked_at) if row.looked_at else None,
    }


class PlanAssetSerializer(serializers.Serializer[Any]):
    """What a plan asks of one asset: what comes first, and what each trigger says; null where nobody can say."""

    equipment = serializers.IntegerField(allow_null=True)
    sensor = serializers.IntegerField(allow_null=True)
    asset_name = serializers.CharField()
    task = serializers.IntegerField(allow_null=True, help_text="The unfinished one; what comes next follows it.")
    due = serializers.DateTimeField(allow_null=True)
    opens = serializers.DateTimeField(allow_null=True)
    kind = serializers.ChoiceField(choices=[kind.value for kind in Trigger], allow_null=True)
    reason = serializers.ChoiceField(choices=[reason.value for reason in Reason], allow_null=True)
    detail = serializers.CharField()
    outlooks = serializers.ListField(child=OutlookField())
    last_closed = serializers.DateTimeField(allow_null=True, help_text="When its last task was done or called off.")
    tasks_so_far = serializers.IntegerField()
    looked_at = serializers.DateTimeField(allow_null=True)

    def to_representation(self, instance: Course) -> dict[str, Any]:
        return course_shown(instance)


class AheadSerializer(serializers.Serializer[Any]):
    """At which asset; of a plan for one asset nothing is to be said."""

    asset = serializers.IntegerField(min_value=1, max_value=BIGGEST_ID, required=False)
