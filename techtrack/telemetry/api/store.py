"""The store for administrators: how much it holds, checks and rebuilds of it, and how these are getting on."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, ClassVar

from django.core.cache import cache
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_view
from redis.exceptions import RedisError
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from techtrack.accounts.domain.access import Access, Role
from techtrack.core import clock
from techtrack.core.api import idempotency
from techtrack.core.api.fields import refuse_unknown_fields
from techtrack.core.api.filters import refuse_unknown_parameters
from techtrack.core.api.viewsets import ReadOnlyViewSet
from techtrack.telemetry import queries, services
from techtrack.telemetry.models import RunKind, RunState, StoreRun

# Counting reads whole tables: nobody's clicking makes the database do it more often.
REMEMBERED = 30
CACHED = "telemetry-store-figures"
TAGS = ["store"]


class TableSerializer(serializers.Serializer):
    """A table: `bytes` with indexes and empty space, null where the database does not tell."""

    name = serializers.ChoiceField(choices=["log", "chunks", "rollups", "days", "latest"])
    rows = serializers.IntegerField()
    bytes = serializers.IntegerField(allow_null=True)


class LagSerializer(serializers.Serializer):
    """What waits in the log to be folded into hours."""

    segments = serializers.IntegerField()
    readings = serializers.IntegerField()
    since = serializers.DateTimeField(allow_null=True)


class LogConsumerSerializer(serializers.Serializer):
    """Who reads the log; `dead` where it has not for a day, though there was something to read."""

    name = serializers.CharField()
    position = serializers.IntegerField()
    behind = serializers.IntegerField()
    since = serializers.DateTimeField(allow_null=True)
    dead = serializers.BooleanField()


class FiguresSerializer(serializers.Serializer):
    """How much is stored, and how far the work on it has come.

    `values` counts every parameter of an hour for each of its readings.
    """

    tables = TableSerializer(many=True)
    readings = serializers.IntegerField()
    values = serializers.IntegerField()
    bytes_per_value = serializers.FloatField(allow_null=True)
    head = serializers.IntegerField(help_text="Position of the newest batch in the log.")
    watermark = serializers.IntegerField(help_text="Position up to which all is folded.")
    lag = LagSerializer()
    consumers = LogConsumerSerializer(many=True)
    damaged_chunks = serializers.IntegerField()
    damaged_segments = serializers.IntegerField()
    assets = serializers.IntegerField()
    assets_waiting_for_days = serializers.IntegerField()


class ProblemSerializer(serializers.Serializer):
    """Something stored that is not as it must be."""

    asset = serializers.IntegerField(allow_null=True)
    name = serializers.CharField(allow_null=True)
    hour = serializers.CharField(allow_null=True, help_text="Its hour in UTC.")
    detail = serializers.CharField()


class StoreRunSerializer(serializers.ModelSerializer):
    """A check or a rebuild. `done` and `total` count hours of assets; `problems` are the first of `found`.

    `interrupted`: the process that did it ended first; ask for another.
    """

    kind = serializers.ChoiceField(choices=RunKind.choices)
    state = serializers.ChoiceField(choices=RunState.choices)
    problems = ProblemSerializer(many=True)
    by = serializers.IntegerField(source="by_id", allow_null=True)

    class Meta:
        model = StoreRun
        fields = [
            "id",
            "kind",
            "state",
            "done",
            "total",
            "found",
            "problems",
            "error",
            "by",
            "created_at",
            "started_at",
            "finished_at",
        ]
        read_only_fields = fields


class StoreView(APIView):
    """How much is stored of readings, and how far folding has come; counted anew every half minute at most."""

    @extend_schema(operation_id="store_retrieve", responses=FiguresSerializer, tags=TAGS)
    def get(self, request: Request) -> Response:
        refuse_unknown_parameters(request, set())
        _access(request).require(Role.ADMIN, None)
        figures = None
        # Without Redis they are counted each time.
        with suppress(RedisError):
            figures = cache.get(CACHED)
        if figures is None:
            figures = FiguresSerializer(queries.figures(clock.now())).data
            with suppress(RedisError):
                cache.set(CACHED, figures, REMEMBERED)
        return Response(figures)


class _RunView(APIView):
    kind: ClassVar[RunKind]

    @idempotency.keyed
    def post(self, request: Request) -> Response:
        refuse_unknown_parameters(request, set())
        # Who names an asset here would get a run of everything.
        refuse_unknown_fields(request.data, serializers.Serializer())
        run = services.ask_for_run(kind=self.kind, by=_access(request), now=clock.now())
        response = Response(StoreRunSerializer(run).data, status=202)
        response["Location"] = request.build_absolute_uri(f"/api/store/runs/{run.pk}/")
        return response


@extend_schema_view(
    post=extend_schema(operation_id="store_check", request=None, responses={202: StoreRunSerializer}, tags=TAGS)
)
class CheckView(_RunView):
    """Hold every hour of readings, and all that is derived of them, against each other: in the background."""

    kind = RunKind.CHECK


@extend_schema_view(
    post=extend_schema(operation_id="store_rebuild", request=None, responses={202: StoreRunSerializer}, tags=TAGS)
)
class RebuildView(_RunView):
    """Compute anew what is derived of the readings, rollups, latest values and days: in the background."""

    kind = RunKind.REBUILD


class StoreRunFilter(filters.FilterSet):
    """Runs by what they do and how far they are."""

    kind = filters.ChoiceFilter(choices=RunKind.choices)
    state = filters.ChoiceFilter(choices=RunState.choices)


@extend_schema_view(
    list=extend_schema(operation_id="store_runs_list", tags=TAGS),
    retrieve=extend_schema(operation_id="store_runs_retrieve", tags=TAGS),
)
class StoreRunViewSet(ReadOnlyViewSet):
    """Checks and rebuilds, newest first."""

    queryset = StoreRun.objects.all()
    serializer_class = StoreRunSerializer
    filterset_class = StoreRunFilter
    ordering_fields = ["created_at", "finished_at"]
    ordering = ["-created_at", "-id"]


def _access(request: Request) -> Access:
    access: Any = request.auth
    found: Access = access
    return found
