"""Feeds as a resource, and the calendar that each of them opens."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from techtrack.core import clock
from techtrack.core.api import concurrency
from techtrack.core.api.downloads import AnyForm
from techtrack.core.api.fields import ResourceSerializer, refuse_unknown_fields
from techtrack.core.api.filters import refuse_unknown_parameters
from techtrack.core.api.viewsets import ResourceViewSet
from techtrack.core.errors import Invalid
from techtrack.tasks import queries, services
from techtrack.tasks.domain.ical import CONTENT_TYPE
from techtrack.tasks.models import CalendarFeed

CALENDAR = "/api/tasks/calendar.ics"
LONGEST_KEY = 200


class FeedSerializer(ResourceSerializer):
    """A calendar that subscribes to the caller's tasks; with ``everything`` also to those of the caller's sites."""

    class Meta:
        model = CalendarFeed
        fields = ["id", "name", "everything", "last_read", "created_at", "updated_at", "version"]
        read_only_fields = ["last_read", "created_at", "updated_at", "version"]


class IssuedFeedSerializer(FeedSerializer):
    """A new one, with the address to subscribe to."""

    url = serializers.CharField(read_only=True, help_text="Whoever knows it reads the tasks: shown this once.")

    class Meta(FeedSerializer.Meta):
        fields = [*FeedSerializer.Meta.fields, "url"]


class FeedViewSet(ResourceViewSet):
    """The caller's own calendars; deleting one takes its address back."""

    # A key mints no credentials.
    door = "accounts"
    queryset = CalendarFeed.objects.all()
    serializer_class = FeedSerializer
    ordering_fields = ["name", "created_at", "last_read"]
    ordering = ["name", "id"]

    @extend_schema(responses={201: IssuedFeedSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Make one; its address is shown this once."""
        # No Idempotency-Key here: its record would keep the address.
        serializer = self.get_serializer(data=request.data)
        refuse_unknown_fields(request.data, serializer)
        serializer.is_valid(raise_exception=True)
        feed, key = services.create_feed(by=self.request.auth, data=serializer.validated_data, now=clock.now())
        address = request.build_absolute_uri(f"{CALENDAR}?key={key}")
        response = Response({**self.get_serializer(feed).data, "url": address}, status=201)
        response["Location"] = request.build_absolute_uri(f"{request.path.rstrip('/')}/{feed.pk}/")
        response["Cache-Control"] = "no-store"
        return concurrency.tag(response, feed)

    def edit(self, instance: CalendarFeed, data: dict[str, Any], expected: int | None) -> CalendarFeed:
        return services.update_feed(
            feed=instance, by=self.request.auth, changes=data, expected=expected, now=clock.now()
        )

    def drop(self, instance: CalendarFeed, expected: int | None) -> None:
        services.delete_feed(feed=instance, by=self.request.auth, expected=expected)


class CalendarView(APIView):
    """Tasks with a due date as a calendar (RFC 5545), for programs that subscribe to it."""

    # The key in the address says it all: a calendar cannot log in.
    authentication_classes = ()
    permission_classes = ()
    content_negotiation_class = AnyForm

    @extend_schema(
        operation_id="tasks_calendar",
        auth=[],
        parameters=[OpenApiParameter("key", str, required=True, description="Of a feed.")],
        responses={(200, CONTENT_TYPE.partition(";")[0]): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> HttpResponse:
        """Get the tasks that a feed shows; come again with If-None-Match."""
        refuse_unknown_parameters(request, {"key"})
        key = request.query_params.get("key", "")
        if not key or len(key) > LONGEST_KEY:
            raise Invalid("the key of a feed is needed", pointer="?key")
        now = clock.now()
        feed = services.open_feed(key=key, now=now)
        body = b"".join(queries.calendar_of(feed, now=now))
        response = HttpResponse(body, content_type=CONTENT_TYPE)
        response["ETag"] = f'"{concurrency.digest(body)}"'
        response["Content-Disposition"] = 'inline; filename="techtrack.ics"'
        return response
