"""Tasks and categories as resources, and the tasks about one asset."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from rest_framework.mixins import ListModelMixin

from techtrack.assets.models import Asset, Equipment, Sensor
from techtrack.core import clock
from techtrack.core.api.bulk import BulkViewSet
from techtrack.core.api.viewsets import StrictViewSet
from techtrack.tasks import services
from techtrack.tasks.api.filters import TaskFilter, WorkFilter
from techtrack.tasks.api.serializers import CategorySerializer, TaskSerializer
from techtrack.tasks.models import Category, Task


class _Tasks(StrictViewSet):
    """What the doors to tasks share."""

    queryset = Task.objects.select_related("asset").prefetch_related("owner_rows", "share_rows")
    serializer_class = TaskSerializer
    ordering_fields = ["due_date", "priority", "created_at", "updated_at", "title"]
    ordering = ["-created_at", "-id"]
    search_fields = ["title", "description"]

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "now": clock.now()}


class TaskViewSet(_Tasks, BulkViewSet):
    """Work: own, shared, and about assets of the caller's sites."""

    filterset_class = TaskFilter

    def add(self, data: dict[str, Any]) -> Task:
        return services.create_task(by=self.request.auth, data=data, now=clock.now())

    def edit(self, instance: Task, data: dict[str, Any], expected: int | None) -> Task:
        return services.update_task(
            task=instance, by=self.request.auth, changes=data, expected=expected, now=clock.now()
        )

    def drop(self, instance: Task, expected: int | None) -> None:
        services.delete_task(task=instance, by=self.request.auth, expected=expected)


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


class CategoryViewSet(BulkViewSet):
    """The caller's own categories."""

    queryset = Category.objects.all()
    serializer_class = CategorySerializer
    ordering_fields = ["name", "created_at", "updated_at"]
    ordering = ["name", "id"]
    search_fields = ["name"]

    def add(self, data: dict[str, Any]) -> Category:
        return services.create_category(by=self.request.auth, data=data, now=clock.now())

    def edit(self, instance: Category, data: dict[str, Any], expected: int | None) -> Category:
        return services.update_category(
            category=instance, by=self.request.auth, changes=data, expected=expected, now=clock.now()
        )

    def drop(self, instance: Category, expected: int | None) -> None:
        services.delete_category(category=instance, by=self.request.auth, expected=expected, now=clock.now())
