"""What the doors to the things of one task share."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from rest_framework.request import Request

from techtrack.core.api.viewsets import ResourceViewSet, StrictViewSet
from techtrack.tasks.models import Task


class OfTask(StrictViewSet):
    """What belongs to the task whose id is in the path; whoever may not see the task finds nothing here."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        # Before anything is read of the body: of a task that is not there nothing else is told.
        _ = self.task

    @cached_property
    def task(self) -> Task:
        """The task, with all that decides who may do what."""
        rows = Task.objects.whole().visible_to(self.request.auth)
        found: Task = get_object_or_404(rows, pk=self.kwargs["task_id"])
        return found

    def get_queryset(self) -> QuerySet:
        # Also asked of the rows themselves: what the path says is no permission.
        return super().get_queryset().filter(task=self.task.pk)

    def row(self, pk: int) -> Any:
        # The statement that others keep would be that of one task.
        found = self.get_queryset().filter(pk=pk).first()
        if found is not None:
            found.task = self.task
        return found


class OfTaskViewSet(OfTask, ResourceViewSet):
    """The same as a resource."""
