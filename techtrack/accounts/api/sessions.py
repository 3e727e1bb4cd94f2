"""One's own sessions: where one is logged in, and ending that."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from techtrack.accounts import services
from techtrack.accounts.api.schema import PersonSchema
from techtrack.accounts.models import Session
from techtrack.accounts.queries import live_sessions, session_behind
from techtrack.core import clock
from techtrack.core.api.viewsets import StrictViewSet

ID = OpenApiParameter("id", OpenApiTypes.UUID, OpenApiParameter.PATH)


class SessionSerializer(serializers.ModelSerializer):
    """One login on one device, by tokens or in a browser."""

    current = serializers.SerializerMethodField(help_text="Whether it is the session of this request.")

    class Meta:
        model = Session
        fields = ["id", "device", "address", "started_at", "last_seen", "current"]
        read_only_fields = fields

    def get_current(self, session: Session) -> bool:
        """Tell whether the caller speaks in this session."""
        return str(session.pk) == session_behind(self.context["request"].auth)


class SessionViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, StrictViewSet):
    """Where the caller is logged in."""

    door = "accounts"
    schema = PersonSchema()
    queryset = Session.objects.all()
    serializer_class = SessionSerializer
    lookup_field = "id"
    ordering_fields: ClassVar[list[str]] = ["started_at", "last_seen"]
    ordering = ["-last_seen"]

    def get_queryset(self) -> QuerySet:
        """The caller's own sessions that go on."""
        return live_sessions(clock.now()).filter(user=self.request.auth.user_id)

    def get_object(self) -> Session:
        """The caller's session of this number, as long as it goes on."""
        try:
            number = UUID(self.kwargs["id"])
        except ValueError:
            raise Http404 from None
        found: Session | None = self.get_queryset().filter(pk=number).first()
        if found is None:
            raise Http404
        return found

    @extend_schema(operation_id="accounts_sessions_retrieve", parameters=[ID])
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Look at one session."""
        return super().retrieve(request, *args, **kwargs)

    @extend_schema(operation_id="accounts_sessions_destroy", parameters=[ID])
    def destroy(self, request: Request, **kwargs: Any) -> Response:
        """End a session; it may be the one of this request."""
        services.end_session(session=self.get_object(), by=self.request.auth, now=clock.now())
        return Response(status=204)

    @extend_schema(operation_id="accounts_sessions_destroy_others")
    def destroy_others(self, request: Request) -> Response:
        """End every session but the one of this request."""
        services.end_other_sessions(by=self.request.auth, now=clock.now())
        return Response(status=204)
