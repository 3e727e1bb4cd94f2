"""How a task looks on the wire."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from techtrack.alerts.models import Alert
from techtrack.assets.models import Equipment, Sensor
from techtrack.core import clock
from techtrack.core.api.fields import (
    IsoDurationField,
    MomentField,
    ObjectField,
    ResourceSerializer,
    VisibleField,
    WholeSerializer,
)
from techtrack.core.api.filters import BIGGEST_ID
from techtrack.tasks.api.steps import AnsweredField, ChecklistField, ProgressField, RemindersField, shown
from techtrack.tasks.domain.recurrence import LONGEST_RRULE
from techtrack.tasks.domain.workflow import is_overdue
from techtrack.tasks.models import MOST_PEOPLE, Category, Level, Phase, Priority, Task, phase_of, planned_of


def _or_none(moment: datetime | None) -> str | None:
    return None if moment is None else clock.isoformat(moment)


def _duration(seconds: int | None) -> str | None:
    return None if seconds is None else clock.iso_duration(timedelta(seconds=seconds))


class ShareSerializer(WholeSerializer):
    """With whom a task is shared, and for what."""

    user = serializers.IntegerField(source="user_id", min_value=1, max_value=BIGGEST_ID)
    level = serializers.ChoiceField(choices=Level.choices, default=Level.READ.value)


class TaskSerializer(ResourceSerializer):
    """One piece of work. At most one of ``equipment`` and ``sensor`` is given; without owners the maker owns it."""

    # The model's field would bring bounds into the document that differ from database to database.
    priority = serializers.ChoiceField(choices=Priority.choices, required=False)
    category = VisibleField(queryset=Category.objects.all(), required=False, allow_null=True)
    start_date = MomentField(required=False, allow_null=True)
    due_date = MomentField(
        required=False,
        allow_null=True,
        help_text="Not before the start; of a task that comes again, by default its first date.",
    )
    estimated_time = IsoDurationField(source="estimated_seconds", required=False, allow_null=True)
    recurrence = serializers.CharField(
        max_length=LONGEST_RRULE,
        required=False,
        allow_null=True,
        allow_blank=True,
        help_text="An RFC 5545 rule with COUNT or UNTIL, such as FREQ=WEEKLY;BYDAY=MO;COUNT=10. When the task is done, "
        "the next one is made. Cancelling it ends the series, and so does null.",
    )
    recurrence_terms = ObjectField(
        required=False,
        help_text="What surrounds the rule: `timezone`, `dtstart` (local), `rdate`, `exdate`, `anchor` (scheduled or "
        "completed), `catch_up` (skip, one or all). What is left out is filled in.",
    )
    is_overdue = serializers.SerializerMethodField()
    checklist = ChecklistField(required=False)
    answers = AnsweredField(read_only=True)
    progress = ProgressField(read_only=True)
    reminders = RemindersField(required=False)
    spent_time = serializers.SerializerMethodField()
    owners = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=BIGGEST_ID), max_length=MOST_PEOPLE, required=False
    )
    shared_with = serializers.ListField(child=ShareSerializer(), max_length=MOST_PEOPLE, required=False)
    equipment = VisibleField(queryset=Equipment.objects.all(), required=False, allow_null=True)
    sensor = VisibleField(queryset=Sensor.objects.all(), required=False, allow_null=True)
    alert = VisibleField(queryset=Alert.objects.all(), required=False, allow_null=True)
    plan = serializers.IntegerField(source="plan_id", read_only=True, allow_null=True, help_text="That brought it.")
    verification = serializers.ChoiceField(
        choices=Phase.choices, read_only=True, allow_null=True, help_text="How far telemetry has proved that it helped."
    )

    class Meta:
        model = Task
        fields = [
            "id",
            "title",
            "description",
            "priority",
            "state",
            "category",
            "start_date",
            "due_date",
            "is_overdue",
            "estimated_time",
            "recurrence",
            "recurrence_terms",
            "position",
            "checklist",
            "answers",
            "progress",
            "reminders",
            "spent_time",
            "owners",
            "shared_with",
            "equipment",
            "sensor",
            "alert",
            "plan",
            "verification",
            "created_by",
            "created_at",
            "updated_at",
            "completed_at",
            "version",
        ]
        read_only_fields = ["position", "created_by", "created_at", "updated_at", "completed_at", "version"]
        # The generic check of the constraint on machines' tasks would demand an alert; the database decides.
        validators: ClassVar[list[Any]] = []

    def get_is_overdue(self, task: Task) -> bool:
        """Whether the due date has passed and the work is not finished."""
        return is_overdue(task.state, task.due_date, self.context["now"])

    @extend_schema_field({"type": "string", "format": "duration", "readOnly": True})
    def get_spent_time(self, task: Task) -> str:
        """How long people worked on it, by what they wrote down."""
        return clock.iso_duration(timedelta(seconds=task.spent_seconds))

    def to_representation(self, instance: Task) -> dict[str, Any]:
        # By hand, as that of assets is: the generic way takes ten times as long.
        return {
            "id": instance.pk,
            "title": instance.title,
            "description": instance.description,
            "priority": instance.priority,
            "state": instance.state,
            "category": instance.category_id,
            "start_date": _or_none(instance.start_date),
            "due_date": _or_none(instance.due_date),
            "is_overdue": self.get_is_overdue(instance),
            "estimated_time": _duration(instance.estimated_seconds),
            "recurrence": instance.recurrence or None,
            "recurrence_terms": instance.recurrence_terms,
            "position": instance.position,
            **shown(instance),
            "reminders": instance.reminders,
            "spent_time": self.get_spent_time(instance),
            "owners": instance.owners,
            "shared_with": [{"user": share.user_id, "level": share.level} for share in instance.shared_with],
            "equipment": instance.equipment,
            "sensor": instance.sensor,
            "alert": instance.alert_id,
            "plan": planned_of(instance),
            "verification": phase_of(instance),
            "created_by": instance.created_by_id,
            "created_at": clock.isoformat(instance.created_at),
            "updated_at": clock.isoformat(instance.updated_at),
            "completed_at": _or_none(instance.completed_at),
            "version": instance.version,
        }

    def validate_estimated_time(self, duration: timedelta | None) -> int | None:
        """Bring a duration into whole seconds."""
        return None if duration is None else round(duration.total_seconds())

    def validate_recurrence(self, rule: str | None) -> str:
        """Bring both ways to say none into one."""
        return rule or ""

    def validate_shared_with(self, shares: list[dict[str, Any]]) -> list[tuple[int, str]]:
        """Bring each share into the pair that the services take."""
        return [(share["user_id"], share["level"]) for share in shares]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Bring the two names of the asset into the one that the services take."""
        named = {name: attrs.pop(name) for name in ("equipment", "sensor") if name in attrs}
        given = [asset for asset in named.values() if asset is not None]
        if len(given) > 1:
            raise serializers.ValidationError({"sensor": "A task is about equipment or a sensor, not both."})
        if given:
            attrs["asset"] = given[0]
        elif not self.partial or any(getattr(self.instance, name, None) for name in named):
            # null empties only the name that the asset goes by: the other one is empty anyway.
            attrs["asset"] = None
        if not self.partial:
            attrs = {"owners": None, "shared_with": [], **attrs}
        return attrs
