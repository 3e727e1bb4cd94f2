"""How a door answers with a task that it has just opened."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from techtrack.core import clock
from techtrack.core.api import concurrency
from techtrack.tasks.api.fields import TaskSerializer
from techtrack.tasks.models import Task


def made(request: Request, task: Task) -> Response:
    """Answer with a new task, and where it is."""
    whole = Task.objects.whole().get(pk=task.pk)
    shown = TaskSerializer(whole, context={"request": request, "now": clock.now()})
    response = Response(shown.data, status=201)
    response["Location"] = request.build_absolute_uri(f"/api/tasks/{whole.pk}/")
    return concurrency.tag(response, whole)
