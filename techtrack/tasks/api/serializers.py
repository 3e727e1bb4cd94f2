"""How tasks and categories look on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from rest_framework import serializers

from techtrack.alerts.models import Alert
from techtrack.assets.models import Equipment, Sensor
from techtrack.core import clock
from techtrack.core.api.fields import MomentField, ResourceSerializer, VisibleField, WholeSerializer
from techtrack.core.api.filters import BIGGEST_ID
from techtrack.tasks.domain.workflow import is_overdue
from techtrack.tasks.models import Category, Level, Priority, Task

MOST_PEOPLE = 100


def _or_none(moment: datetime | None) -> str | None:
    return None if moment is None else clock.isoformat(moment)


class CategorySerializer(ResourceSerializer):
    """The caller's own drawer for tasks."""

    colour = serializers.RegexField(
        r"^#[0-9a-fA-F]{6}\Z", required=False, allow_blank=True, help_text="Such as #1f77b4, or empty."
    )

    class Meta:
        model = Category
        fields = ["id", "name", "colour", "version", "created_at", "updated_at"]
        read_only_fields = ["version", "created_at", "updated_at"]


class ShareSerializer(WholeSerializer):
    """With whom a task is shared, and for what."""

    user = serializers.IntegerField(source="user_id", min_value=1, max_value=BIGGEST_ID)
    level = serializers.ChoiceField(choices=Level.choices, default=Level.READ.value)


class TaskSerializer(ResourceSerializer):
    """One piece of work. At most one of ``equipment`` and ``sensor`` is given; without owners the maker owns it."""

    # The model's field would bring bounds into the document that differ from database to database.
    priority = serializers.ChoiceField(choices=Priority.choices, required=False)
    category = VisibleField(queryset=Category.objects.all(), required=False, allow_null=True)
    due_date = MomentField(required=False, allow_null=True)
    is_overdue = serializers.SerializerMethodField()
    owners = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=BIGGEST_ID), max_length=MOST_PEOPLE, required=False
    )
    shared_with = serializers.ListField(child=ShareSerializer(), max_length=MOST_PEOPLE, required=False)
    equipment = VisibleField(queryset=Equipment.objects.all(), required=False, allow_null=True)
    sensor = VisibleField(queryset=Sensor.objects.all(), required=False, allow_null=True)
    alert = VisibleField(queryset=Alert.objects.all(), required=False, allow_null=True)

    class Meta:
        model = Task
        fields = [
            "id",
            "title",
            "description",
            "priority",
            "state",
            "category",
            "due_date",
            "is_overdue",
            "owners",
            "shared_with",
            "equipment",
            "sensor",
            "alert",
            "created_by",
            "created_at",
            "updated_at",
            "completed_at",
            "version",
        ]
        read_only_fields = ["created_by", "created_at", "updated_at", "completed_at", "version"]
        # The generic check of the constraint on machines' tasks would demand an alert; the database decides.
        validators: ClassVar[list[Any]] = []

    def get_is_overdue(self, task: Task) -> bool:
        """Whether the due date has passed and the work is not finished."""
        return is_overdue(task.state, task.due_date, self.context["now"])

    def to_representation(self, instance: Task) -> dict[str, Any]:
        # By hand, as that of assets is: the generic way takes ten times as long.
        return {
            "id": instance.pk,
            "title": instance.title,
            "description": instance.description,
            "priority": instance.priority,
            "state": instance.state,
            "category": instance.category_id,
            "due_date": _or_none(instance.due_date),
            "is_overdue": self.get_is_overdue(instance),
            "owners": instance.owners,
            "shared_with": [{"user": share.user_id, "level": share.level} for share in instance.shared_with],
            "equipment": instance.equipment,
            "sensor": instance.sensor,
            "alert": instance.alert_id,
            "created_by": instance.created_by_id,
            "created_at": clock.isoformat(instance.created_at),
            "updated_at": clock.isoformat(instance.updated_at),
            "completed_at": _or_none(instance.completed_at),
            "version": instance.version,
        }

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
