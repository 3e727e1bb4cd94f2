"""Links by which anybody may read one task, and what they open."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from techtrack.core import clock
from techtrack.core.api.fields import MomentField
from techtrack.core.api.filters import refuse_unknown_parameters
from techtrack.tasks import queries, services
from techtrack.tasks.api.of_task import OfTaskViewSet
from techtrack.tasks.domain.workflow import is_overdue
from techtrack.tasks.models import Priority, State, TaskLink


class TaskLinkSerializer(serializers.ModelSerializer[TaskLink]):
    """A link to a task; its key is shown once, when it is made."""

    expires_at = MomentField(required=False, help_text="Within a year; a week from now if not said.")

    class Meta:
        model = TaskLink
        fields = ["id", "expires_at", "revoked_at", "created_by", "version", "created_at", "updated_at"]
        read_only_fields = ["revoked_at", "created_by", "version", "created_at", "updated_at"]


class MadeTaskLinkSerializer(TaskLinkSerializer):
    """A new link; keep the key, it is not shown again."""

    key = serializers.CharField(read_only=True, help_text="For /api/shared/tasks/{key}/.")
    url = serializers.SerializerMethodField()

    class Meta(TaskLinkSerializer.Meta):
        fields = [*TaskLinkSerializer.Meta.fields, "key", "url"]

    def get_url(self, link: Any) -> str:
        """Where the task is shown to anybody."""
        return f"{settings.PUBLIC_URL}/shared/tasks/{link.key}/"


class LinkViewSet(OfTaskViewSet):
    """The links to a task: for who made or owns it."""

    # A key mints no credentials.
    door = "accounts"
    http_method_names = ["get", "post", "delete", "head", "options"]
    queryset = TaskLink.objects.all()
    serializer_class = TaskLinkSerializer
    ordering_fields = ["created_at", "expires_at"]
    ordering = ["-created_at", "-id"]

    def get_queryset(self) -> QuerySet:
        services.require_showing(by=self.request.auth, task=self.task)
        return super().get_queryset()

    @extend_schema(responses={201: MadeTaskLinkSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Make one; its key is shown this once."""
        # No Idempotency-Key here: its record would keep the key.
        response = self._create(request)
        response["Cache-Control"] = "no-store"
        return response

    def add(self, data: dict[str, Any]) -> TaskLink:
        ends = data.get("expires_at")
        link, key = services.create_link(task=self.task, by=self.request.auth, expires_at=ends, now=clock.now())
        link.key = key  # type: ignore[attr-defined]
        return link

    def fresh(self, instance: Any) -> Any:
        return MadeTaskLinkSerializer(instance).data

    def drop(self, instance: TaskLink, expected: int | None) -> None:
        """Revoke the link: it opens nothing from now on."""
        services.revoke_link(link=instance, by=self.request.auth, expected=expected, now=clock.now())


class SharedTaskSerializer(serializers.Serializer[Any]):
    """A task as whoever has a link to it may read it: no names, and nothing else of the plant."""

    title = serializers.CharField()
    description = serializers.CharField()
    priority = serializers.ChoiceField(choices=Priority.choices)
    state = serializers.ChoiceField(choices=State.choices)
    start_date = MomentField(allow_null=True)
    due_date = MomentField(allow_null=True)
    is_overdue = serializers.BooleanField()
    completed_at = MomentField(allow_null=True)
    updated_at = MomentField()
    expires_at = MomentField(help_text="When the link ends.")


# Of the task itself.
SHOWN = ("title", "description", "priority", "state", "start_date", "due_date", "completed_at", "updated_at")


class SharedTaskView(APIView):
    """What a link opens, without logging in."""

    authentication_classes = ()
    permission_classes = [AllowAny]

    @extend_schema(operation_id="shared_tasks_retrieve", responses=SharedTaskSerializer, auth=[])
    def get(self, request: Request, key: str) -> Response:
        """Read a task by the key of a link to it; 410 once that has expired or was revoked."""
        refuse_unknown_parameters(request, set())
        now = clock.now()
        task, link = queries.linked(key, now=now)
        late = is_overdue(task.state, task.due_date, now)
        told = {"is_overdue": late, "expires_at": link.expires_at}
        columns = {name: getattr(task, name) for name in SHOWN}
        return Response(SharedTaskSerializer(columns | told).data)
