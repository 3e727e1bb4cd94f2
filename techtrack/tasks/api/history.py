"""The history of a task."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.mixins import ListModelMixin

from techtrack.core.api.fields import MomentField
from techtrack.tasks.api.of_task import OfTask
from techtrack.tasks.models import TaskEdit


class FieldChangeSerializer(serializers.Serializer[Any]):
    """What became of one field."""

    field = serializers.CharField()
    before = serializers.JSONField(help_text="Null where there was nothing.")
    after = serializers.JSONField(help_text="Null where there is nothing any more.")


class TaskEditSerializer(serializers.ModelSerializer[TaskEdit]):
    """One write of a task: who, when, and what it changed."""

    at = MomentField(read_only=True)
    by = serializers.IntegerField(
        source="by_id", read_only=True, allow_null=True, help_text="Null for the platform, and for who is gone."
    )
    changes = serializers.SerializerMethodField()

    class Meta:
        model = TaskEdit
        fields = ["id", "version", "at", "by", "event", "changes"]
        read_only_fields = fields

    @extend_schema_field(FieldChangeSerializer(many=True))
    def get_changes(self, edit: TaskEdit) -> list[dict[str, Any]]:
        """Each field that it changed, before and after."""
        return [{"field": name, "before": edit.before[name], "after": edit.after[name]} for name in sorted(edit.after)]


class TaskHistoryViewSet(OfTask, ListModelMixin):
    """What became of a task, newest first."""

    queryset = TaskEdit.objects.all()
    serializer_class = TaskEditSerializer
    ordering_fields = ["version"]
    ordering = ["-version"]
