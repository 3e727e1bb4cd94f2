"""When people worked on a task, as a resource below it; and a clock for each person."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from techtrack.core import clock
from techtrack.core.api import concurrency
from techtrack.core.api.fields import MomentField, ResourceSerializer, refuse_unknown_fields
from techtrack.core.api.idempotency import keyed
from techtrack.tasks import services
from techtrack.tasks.api.of_task import OfTaskViewSet
from techtrack.tasks.models import TimeEntry


class TimeEntrySerializer(ResourceSerializer):
    """From when to when somebody worked; ``ended_at`` is null while the clock is running."""

    started_at = MomentField()
    ended_at = MomentField(required=False, allow_null=True)

    class Meta:
        model = TimeEntry
        fields = ["id", "task", "person", "started_at", "ended_at", "note", "created_at", "updated_at", "version"]
        read_only_fields = ["task", "person", "created_at", "updated_at", "version"]
        # The generic check of the constraint would name no field; the service does.
        validators: list[Any] = []


class StartSerializer(serializers.Serializer[Any]):
    """What the clock is started for."""

    note = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")


class TimeViewSet(OfTaskViewSet):
    """Time spent on a task, the newest first; everybody writes down the own one."""

    queryset = TimeEntry.objects.all()
    serializer_class = TimeEntrySerializer
    ordering_fields = ["started_at", "ended_at", "created_at"]
    ordering = ["-started_at", "-id"]

    def add(self, data: dict[str, Any]) -> TimeEntry:
        return services.add_time(task=self.task, by=self.request.auth, data=data, now=clock.now())

    def edit(self, instance: TimeEntry, data: dict[str, Any], expected: int | None) -> TimeEntry:
        return services.change_time(
            entry=instance, by=self.request.auth, changes=data, expected=expected, now=clock.now()
        )

    def drop(self, instance: TimeEntry, expected: int | None) -> None:
        services.delete_time(entry=instance, by=self.request.auth, expected=expected)

    @extend_schema(operation_id="tasks_time_start", request=StartSerializer, responses={201: TimeEntrySerializer})
    @action(detail=False, methods=["post"], url_path="start")
    @keyed
    def start(self, request: Request, **_: Any) -> Response:
        """Start your clock for this task; there is one for each person."""
        form = StartSerializer(data=request.data)
        refuse_unknown_fields(request.data, form)
        form.is_valid(raise_exception=True)
        entry = services.start_clock(
            task=self.task, by=self.request.auth, note=form.validated_data["note"], now=clock.now()
        )
        response = Response(self.fresh(entry), status=201)
        response["Location"] = request.build_absolute_uri(f"/api/tasks/{self.task.pk}/time/{entry.pk}/")
        return concurrency.tag(response, entry)

    @extend_schema(operation_id="tasks_time_stop", request=None, responses=TimeEntrySerializer)
    @action(detail=False, methods=["post"], url_path="stop")
    @keyed
    def stop(self, request: Request, **_: Any) -> Response:
        """Stop your clock."""
        entry = services.stop_clock(task=self.task, by=self.request.auth, now=clock.now())
        return concurrency.tag(Response(self.fresh(entry)), entry)
