"""Tasks as a resource, and the tasks about one asset."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from techtrack.assets.models import Asset, Equipment, Sensor
from techtrack.core import clock
from techtrack.core.api import concurrency, idempotency
from techtrack.core.api.bulk import BulkViewSet
from techtrack.core.api.fields import refuse_unknown_fields
from techtrack.core.api.pagination import whole_number
from techtrack.core.api.viewsets import StrictViewSet
from techtrack.core.models import Versioned
from techtrack.tasks import queries, services
from techtrack.tasks.api import saved
from techtrack.tasks.api.board import MoveSerializer
from techtrack.tasks.api.fields import TaskSerializer
from techtrack.tasks.api.filters import ORDERED, TaskFilter, WorkFilter
from techtrack.tasks.api.tables import Tabled
from techtrack.tasks.domain.sync import read_cursor
from techtrack.tasks.models import Task

MOST_CHANGES = 500


class ChangesSerializer(serializers.Serializer[Any]):
    """What changed of the tasks that the caller may see."""

    changed = TaskSerializer(many=True)
    deleted = serializers.ListField(
        child=serializers.IntegerField(), help_text="Ids of tasks that are gone, or no longer the caller's to see."
    )
    next = serializers.CharField(help_text="The `since` of the next request.")
    more = serializers.BooleanField(help_text="Whether there is more to be had at once.")


class _Tasks(StrictViewSet):
    """What the doors to tasks share."""

    queryset = Task.objects.whole()
    serializer_class = TaskSerializer
    ordering_fields = ORDERED
    ordering = ["-created_at", "-id"]
    search_fields = ["title", "description"]

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "now": clock.now()}


@extend_schema_view(list=extend_schema(parameters=[saved.PARAMETER]))
class TaskViewSet(Tabled, _Tasks, BulkViewSet):
    """Work: own, shared, and about assets of the caller's sites.

    PATCH merges: with the ETag of an older version it is refused only where somebody else changed the same field.
    """

    filterset_class = TaskFilter
    merges = True

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if self.action == "list":
            saved.apply(request, self.known_parameters())

    def known_parameters(self) -> set[str]:
        more = {"list": {saved.NAME}, "changes": {"since", "page_size"}}
        return super().known_parameters() | more.get(self.action, set())

    def fresh(self, instance: Versioned) -> Any:
        # The services return it whole, as it is now.
        return self.get_serializer(instance).data

    def add(self, data: dict[str, Any]) -> Task:
        return services.create_task(by=self.request.auth, data=data, now=clock.now())

    def edit(self, instance: Task, data: dict[str, Any], expected: int | None) -> Task:
        who: dict[str, Any] = {"task": instance, "by": self.request.auth, "changes": data, "now": clock.now()}
        if self.action == "partial_update" and expected is not None:
            return services.merge_task(**who, read=expected)
        return services.update_task(**who, expected=expected)

    def drop(self, instance: Task, expected: int | None) -> None:
        services.delete_task(task=instance, by=self.request.auth, expected=expected, now=clock.now())

    @extend_schema(
        operation_id="tasks_changes",
        responses=ChangesSerializer,
        parameters=[
            OpenApiParameter("since", str, description="The `next` of the answer before; nothing for all there is."),
            OpenApiParameter("page_size", int, description=f"At most so many, {MOST_CHANGES} if not said."),
        ],
    )
    @action(detail=False, pagination_class=None, filterset_class=None)
    def changes(self, request: Request) -> Response:
        """What changed since the last time, for whoever keeps a copy; 410 `resync` where that is not known any more."""
        since = read_cursor(request.query_params.get("since", "0"), pointer="?since")
        limit = whole_number(request, "page_size", default=MOST_CHANGES, highest=MOST_CHANGES)
        found = queries.changes(self.request.auth, since, limit=limit, now=clock.now())
        changed = self.get_serializer(found.tasks, many=True).data
        following = {"next": str(found.following), "more": found.more}
        return Response({"changed": changed, "deleted": found.gone, **following})

    @extend_schema(operation_id="tasks_move", request=MoveSerializer, responses=TaskSerializer)
    @action(detail=True, methods=["post"])
    def move(self, request: Request, pk: str) -> Response | HttpResponse:
        """Put a task before or after another one on the board, or at the end of a column."""
        return self.once(request, lambda: self._moved(request))

    def _moved(self, request: Request) -> Response:
        task = self.get_object()
        asked = MoveSerializer(data=request.data, context=self.get_serializer_context())
        refuse_unknown_fields(request.data, asked)
        asked.is_valid(raise_exception=True)
        moved = services.move_task(task=task, by=self.request.auth, now=clock.now(), **asked.validated_data)
        return concurrency.tag(Response(self.fresh(moved)), moved)


class DeletedTaskViewSet(_Tasks, ListModelMixin):
    """Tasks that were deleted in the last 30 days, and that the caller may bring back."""

    ordering_fields = ["deleted_at", "title"]
    ordering = ["-deleted_at", "-id"]

    def get_queryset(self) -> QuerySet:
        rows = Task.objects.whole()
        if self.action == "list":
            return rows.deleted_for(self.request.auth)
        return rows.within_reach(self.request.auth)

    @extend_schema(operation_id="tasks_restore", request=None, responses=TaskSerializer)
    def restore(self, request: Request, pk: int) -> Response | HttpResponse:
        """Undo the deletion of a task."""
        return idempotency.once(request, self._restored)

    def _restored(self) -> Response:
        task = services.restore_task(task=self.get_object(), by=self.request.auth, now=clock.now())
        return concurrency.tag(Response(self.get_serializer(task).data), task)


class _AssetTasks(_Tasks, ListModelMixin):
    """The tasks about one asset."""

    filterset_class = WorkFilter
    asset_model: ClassVar[type[Asset]]

    def get_queryset(self) -> QuerySet:
        assets: Any = self.asset_model.objects
        asset = get_object_or_404(assets.all().visible_to(self.request.auth), pk=self.kwargs["id"])
        return super().get_queryset().filter(asset=asset.pk)


class EquipmentTasksViewSet(_AssetTasks):
    """The tasks about one piece of equipment."""

    asset_model = Equipment


class SensorTasksViewSet(_AssetTasks):
    """The tasks about one sensor."""

    asset_model = Sensor
