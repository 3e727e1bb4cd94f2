"""Doors for what was and what is: buckets of series, and the newest values of an asset."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers as drf
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from techtrack.assets.models import Asset, Parameter
from techtrack.core import clock
from techtrack.core.api.fields import read_duration
from techtrack.core.api.filters import refuse_unknown_parameters
from techtrack.core.api.pagination import whole_number
from techtrack.core.clock import MICROSECOND, from_micros, iso_duration, isoformat, to_micros
from techtrack.core.errors import Invalid, NotFound
from techtrack.telemetry import queries
from techtrack.telemetry.api.listing import codes, ids_and_keys, moment
from techtrack.telemetry.api.serializers import HistorySerializer
from techtrack.telemetry.domain.aggregation import Buckets, nice_interval

COLUMNS = ["start", "count", "avg", "min", "max"]
MOST_POINTS = 5000
DAY = timedelta(days=1)
QUERY = {"parameter", "from", "to", "interval", "points"}
DESCRIBED = [
    OpenApiParameter("parameter", OpenApiTypes.STR, description="codes, separated by commas; all if left out"),
    OpenApiParameter("from", OpenApiTypes.DATETIME, description="a day before `to` if left out"),
    OpenApiParameter("to", OpenApiTypes.DATETIME, description="now if left out"),
    OpenApiParameter("interval", OpenApiTypes.STR, description="`auto`, or an ISO 8601 duration such as PT1H"),
    OpenApiParameter("points", {"type": "integer", "minimum": 1, "maximum": MOST_POINTS}, description="with auto"),
]


class HistoryView(APIView):
    """Averages and extremes over time, of several assets and parameters at once."""

    @extend_schema(
        operation_id="history",
        parameters=[OpenApiParameter("asset", OpenApiTypes.STR, required=True, description="ids or keys"), *DESCRIBED],
        responses=HistorySerializer,
        tags=["readings"],
    )
    def get(self, request: Request) -> Response:
        refuse_unknown_parameters(request, {"asset"} | QUERY)
        ids, keys = ids_and_keys(request.query_params.get("asset", ""), "?asset")
        rows = Asset.objects.visible_to(_access(request))
        found = rows.filter(pk__in=ids) | rows.filter(key__in=keys)
        return history(request, sorted(found.values_list("pk", flat=True)), asked=len(set(ids)) + len(set(keys)))


def history(request: Request, ids: list[int], *, asked: int) -> Response:
    """Answer the query of ``request`` for the assets."""
    if len(ids) < asked:
        raise NotFound("one of the assets does not exist, or you may not see it")
    span, width = _span_and_width(request)
    found = queries.buckets(asset_ids=ids, parameters=codes(request), span=span, width=width)
    units = dict(Parameter.objects.filter(code__in={code for _, code in found}).values_list("code", "unit"))
    return Response(
        {
            "from": isoformat(from_micros(span[0])),
            "to": isoformat(from_micros(span[1])),
            "interval": iso_duration(timedelta(microseconds=width)),
            "series": [
                {
                    "asset": pk,
                    "parameter": code,
                    "unit": units.get(code, ""),
                    "columns": COLUMNS,
                    "rows": _rows(buckets),
                }
                for (pk, code), buckets in found.items()
            ],
        }
    )


def _span_and_width(request: Request) -> tuple[tuple[int, int], int]:
    end = moment(request, "to", to_micros(clock.now()))
    start = moment(request, "from", end - DAY // MICROSECOND)
    if start >= end:
        raise Invalid("from lies before to", pointer="?from")
    length = timedelta(microseconds=end - start)
    points = whole_number(request, "points", default=500, highest=MOST_POINTS)
    text = request.query_params.get("interval", "auto")
    interval = nice_interval(length, points=points) if text == "auto" else _duration(text)
    if length / interval > MOST_POINTS:
        raise Invalid(f"that would be more than {MOST_POINTS} buckets; choose a longer interval", pointer="?interval")
    return (start, end), interval // MICROSECOND


def _duration(text: str) -> timedelta:
    duration = read_duration(text)
    if duration is None or duration < timedelta(seconds=1):
        raise Invalid("interval is auto, or an ISO 8601 duration of a second or more", pointer="?interval")
    return duration


def _rows(buckets: Buckets) -> list[list[Any]]:
    columns = (buckets.starts, buckets.count, buckets.average, buckets.minimum, buckets.maximum)
    return [
        [isoformat(from_micros(start)), *rest]
        for start, *rest in zip(*(column.tolist() for column in columns), strict=True)
    ]


def _access(request: Request) -> Any:
    return request.auth


class _OneAssetView(APIView):
    kind: ClassVar[str] = ""

    def asset(self, pk: int) -> Asset:
        """Return the asset of the address, if the caller may see it."""
        found: Asset | None = None
        if pk < 2**63:
            found = Asset.objects.visible_to(_access(self.request)).filter(kind=self.kind, pk=pk).first()
        if found is None:
            raise NotFound("there is no such asset")
        return found


def asset_latest(kind: str) -> Callable[..., HttpResponse]:
    """Make the door for the newest values of equipment or a sensor."""
    newest = inline_serializer(
        f"{kind.capitalize()}Latest",
        {"timestamp": drf.DateTimeField(), "value": drf.FloatField(), "unit": drf.CharField()},
    )
    answer = inline_serializer(
        f"{kind.capitalize()}LatestValues", {"asset": drf.IntegerField(), "values": drf.DictField(child=newest)}
    )

    class LatestView(_OneAssetView):
        """The newest value of each parameter."""

        @extend_schema(operation_id=f"{kind}_latest", responses=answer, tags=["readings"])
        def get(self, request: Request, pk: int) -> Response:
            refuse_unknown_parameters(request, ())
            asset = self.asset(pk)
            values = queries.latest([asset.pk]).get(asset.pk, {})
            units = dict(Parameter.objects.filter(code__in=values).values_list("code", "unit"))
            listed = {
                code: {"timestamp": isoformat(newest.at), "value": newest.value, "unit": units.get(code, "")}
                for code, newest in sorted(values.items())
            }
            return Response({"asset": asset.pk, "values": listed})

    LatestView.kind = kind
    return LatestView.as_view()


def asset_history(kind: str) -> Callable[..., HttpResponse]:
    """Make the door for the history of equipment or a sensor."""

    class AssetHistoryView(_OneAssetView):
        """Averages and extremes over time of one asset."""

        @extend_schema(
            operation_id=f"{kind}_history", parameters=DESCRIBED, responses=HistorySerializer, tags=["readings"]
        )
        def get(self, request: Request, pk: int) -> Response:
            refuse_unknown_parameters(request, QUERY)
            return history(request, [self.asset(pk).pk], asked=1)

    AssetHistoryView.kind = kind
    return AssetHistoryView.as_view()
