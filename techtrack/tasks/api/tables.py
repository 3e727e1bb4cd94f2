"""The list of tasks as a file for spreadsheets: all that match, and not page by page."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from techtrack.core import clock
from techtrack.core.api.downloads import ByFormat, refuse_pages
from techtrack.core.api.viewsets import StrictViewSet
from techtrack.core.errors import Invalid
from techtrack.core.spreadsheets import harmless
from techtrack.tasks.api.fields import TaskSerializer
from techtrack.tasks.domain.workflow import is_overdue
from techtrack.tasks.models import Task

FORMAT = OpenApiParameter("format", enum=["json", "csv"], default="json", description="`csv`: all, as a file.")
MEDIA_TYPE = "text/csv"
AT_ONCE = 500
COLUMNS = (
    *("id", "title", "description", "state", "priority", "start_date", "due_date", "is_overdue", "owners"),
    *("asset", "asset_id", "alert", "created_by", "created_at", "updated_at", "completed_at"),
    *("estimated_hours", "spent_hours"),
)


@extend_schema_view(
    list=extend_schema(
        parameters=[FORMAT],
        responses={(200, "application/json"): TaskSerializer(many=True), (200, MEDIA_TYPE): OpenApiTypes.STR},
    )
)
class Tabled(ListModelMixin, StrictViewSet):
    """A list of tasks that can be had as a file."""

    content_negotiation_class = ByFormat

    def known_parameters(self) -> set[str]:
        return super().known_parameters() | ({"format"} if self.action == "list" else set())

    def list(  # type: ignore[override] # a file is no Response
        self, request: Request, *args: Any, **kwargs: Any
    ) -> Response | StreamingHttpResponse:
        match request.query_params.get("format", "json"):
            case "json":
                return super().list(request, *args, **kwargs)
            case "csv":
                refuse_pages(request)
                return _file(self.filter_queryset(self.get_queryset()))
        raise Invalid("choose one of json, csv", pointer="?format")


def _file(tasks: QuerySet) -> StreamingHttpResponse:
    rows = tasks.select_related("asset", "created_by").prefetch_related("owner_rows__user")
    response = StreamingHttpResponse(_lines(rows.iterator(AT_ONCE)), content_type=f"{MEDIA_TYPE}; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="tasks.csv"'
    response["Cache-Control"] = "private, no-store"
    return response


def _lines(tasks: Iterable[Task]) -> Iterator[bytes]:
    """Write the file piece by piece: a piece for each row would take longer to send than to make."""
    now = clock.now()
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(COLUMNS)
    for count, task in enumerate(tasks, start=1):
        cells = _cells(task) | {"is_overdue": str(is_overdue(task.state, task.due_date, now)).lower()}
        table.writerow(cells[name] for name in COLUMNS)
        if count % AT_ONCE == 0:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


def _cells(task: Task) -> dict[str, object]:
    """What a task says in the order of nothing; texts that came from people are made harmless."""
    times = ("start_date", "due_date", "created_at", "updated_at", "completed_at")
    owners = sorted(row.user.username for row in task.owner_rows.all())
    texts = {
        "title": task.title,
        "description": task.description,
        "owners": ", ".join(owners),
        "asset": task.asset.name if task.asset else "",
        "created_by": task.created_by.username if task.created_by else "",
    }
    return {
        **{name: harmless(text) for name, text in texts.items()},
        **{name: (moment := getattr(task, name)) and clock.isoformat(moment) for name in times},
        "id": task.pk,
        "state": task.state,
        "priority": task.priority,
        "asset_id": task.asset_id,
        "alert": task.alert_id,
        "estimated_hours": None if task.estimated_seconds is None else _hours(task.estimated_seconds),
        "spent_hours": _hours(task.spent_seconds),
    }


def _hours(seconds: int) -> float:
    return round(timedelta(seconds=seconds) / timedelta(hours=1), 2)
