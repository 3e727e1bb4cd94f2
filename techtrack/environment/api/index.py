"""Doors to the index of the air: of a sensor, of a site, over time; and which standards there are."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers as drf
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from techtrack.airquality.hours import HOUR
from techtrack.airquality.limit_sets import LIMIT_SETS
from techtrack.airquality.standard import History, Standard, chosen_method, standards
from techtrack.airquality.tables import NONE
from techtrack.assets.models import Asset, Kind, Status
from techtrack.core import clock
from techtrack.core.api.filters import moment, refuse_unknown_parameters
from techtrack.core.clock import from_micros, isoformat, to_micros
from techtrack.core.errors import Invalid
from techtrack.environment import queries
from techtrack.environment.api import asking, shapes
from techtrack.environment.queries import Judged
from techtrack.telemetry import queries as telemetry

MOST_SENSORS = 200
USUAL = timedelta(days=7)
LONGEST = timedelta(days=3660)
# Quarters of hours are in no rollup.
LONGEST_OF_QUARTERS = timedelta(days=92)


class SensorIndexView(APIView):
    """The index of the air at a sensor by what it measured in the hours before a moment."""

    @extend_schema(
        operation_id="sensor_air_quality",
        parameters=[asking.STANDARD, asking.METHOD, asking.AT],
        responses=shapes.INDEX,
        tags=["air quality"],
    )
    def get(self, request: Request, pk: int) -> Response:
        refuse_unknown_parameters(request, {"standard", "method", "at"})
        sensor = asking.asked_sensor(request, pk)
        standard, method = asking.asked_standard(request)
        with asking.about_the_query():
            (judged,) = queries.index_now([sensor], standard=standard, method=method, at=asking.asked_moment(request))
        if judged.verdict is None:
            raise judged.missing or Invalid("the air cannot be judged")
        return Response({"sensor": sensor.id} | shapes.verdict_as_json(judged.verdict, judged.corrected))


_SITE_SENSOR: dict[str, Any] = {
    "sensor": drf.IntegerField(),
    "name": drf.CharField(),
    "index": drf.IntegerField(allow_null=True),
    "category": drf.CharField(allow_null=True),
    "colour": drf.CharField(allow_null=True),
    "dominant": drf.CharField(allow_null=True),
    "reason": drf.CharField(allow_null=True, help_text="why there is no index; also, what is not declared"),
}
_SITE = inline_serializer(
    "SiteAirQuality",
    {
        "site": drf.IntegerField(),
        "standard": drf.CharField(),
        "method": drf.CharField(),
        "at": drf.DateTimeField(),
        "index": drf.IntegerField(allow_null=True, help_text="the highest of its sensors'"),
        "category": drf.CharField(allow_null=True),
        "colour": drf.CharField(allow_null=True),
        "advice": drf.CharField(allow_null=True),
        "dominant": drf.CharField(allow_null=True),
        "sensor": drf.IntegerField(allow_null=True, help_text="the one with the highest index"),
        "sensors": drf.ListField(child=inline_serializer("SiteSensorIndex", _SITE_SENSOR)),
        "explanation": drf.CharField(),
    },
)


class SiteIndexView(APIView):
    """The index at each sensor of a site that measures air and the caller may see; that of the site is the highest."""

    @extend_schema(
        operation_id="site_air_quality",
        parameters=[asking.STANDARD, asking.METHOD, asking.AT],
        responses=_SITE,
        tags=["air quality"],
    )
    def get(self, request: Request, pk: int) -> Response:
        refuse_unknown_parameters(request, {"standard", "method", "at"})
        site = asking.asked_site(request, pk)
        standard, method = asking.asked_standard(request)
        at, access = asking.asked_moment(request), request.auth
        rows = Asset.objects.visible_to(access).filter(site=site, kind=Kind.SENSOR)  # type: ignore[arg-type]
        sensors = queries.of_air(telemetry.subjects(rows.exclude(status=Status.RETIRED)), standard.parameters)
        if len(sensors) > MOST_SENSORS:
            told = f"the site has {len(sensors)} sensors of air, and {MOST_SENSORS} are judged at once"
            raise Invalid(told, pointer="/site")
        with asking.about_the_query():
            judged = queries.index_now(sensors, standard=standard, method=method, at=at)
        return Response({"site": site.pk} | _site(standard, chosen_method(method, standard.methods), at, judged))


def _site(standard: Standard, method: str, at: datetime, judged: list[Judged]) -> dict[str, Any]:
    worst = queries.worst(judged)
    verdict = worst.verdict if worst else None
    told = f"{len(judged)} sensors, {sum(_has_index(one) for one in judged)} with an index"
    return {
        "standard": standard.name,
        "method": method,
        "at": isoformat(at),
        "index": verdict.index if verdict else None,
        **shapes.of_category(verdict.category if verdict else None),
        "dominant": verdict.dominant if verdict else None,
        "sensor": worst.subject.id if worst else None,
        "sensors": [_site_sensor(one) for one in judged],
        "explanation": f"{told}. {worst.subject.name}: {verdict.explanation}" if worst and verdict else f"{told}.",
    }


def _has_index(one: Judged) -> bool:
    return one.verdict is not None and one.verdict.index is not None


def _site_sensor(one: Judged) -> dict[str, Any]:
    verdict, category = one.verdict, one.verdict.category if one.verdict else None
    missing = shapes.missing_as_text(one.missing) if one.missing else None
    return {
        "sensor": one.subject.id,
        "name": one.subject.name,
        "index": verdict.index if verdict else None,
        "category": category.name if category else None,
        "colour": category.colour if category else None,
        "dominant": verdict.dominant if verdict else None,
        "reason": (verdict.reason or None) if verdict else missing,
    }


_HISTORY = inline_serializer(
    "AirQualityHistory",
    {
        "sensor": drf.IntegerField(),
        "standard": drf.CharField(),
        "method": drf.CharField(),
        "from": drf.DateTimeField(),
        "to": drf.DateTimeField(),
        "columns": drf.ListField(child=drf.CharField()),
        "rows": drf.ListField(
            child=drf.ListField(),
            help_text="an entry an hour, `at` being its end: the index, its class, the dominant pollutant, and the "
            "index of each pollutant by the name of its column; null where there is none",
        ),
    },
)


class SensorHistoryView(APIView):
    """The index of the air at a sensor hour by hour, each hour labelled by its end, on the clock of its site."""

    @extend_schema(
        operation_id="sensor_air_quality_history",
        parameters=[
            asking.STANDARD,
            asking.METHOD,
            OpenApiParameter("from", OpenApiTypes.DATETIME, description="seven days before `to` if left out"),
            OpenApiParameter("to", OpenApiTypes.DATETIME, description="now if left out; the last hour ends there"),
        ],
        responses=_HISTORY,
        tags=["air quality"],
    )
    def get(self, request: Request, pk: int) -> Response:
        refuse_unknown_parameters(request, {"standard", "method", "from", "to"})
        sensor = asking.asked_sensor(request, pk)
        standard, method = asking.asked_standard(request)
        end = from_micros(moment(request, "to", to_micros(clock.plant_now())))
        start = from_micros(moment(request, "from", to_micros(end - USUAL)))
        if start >= end:
            raise Invalid("from lies before to", pointer="?from")
        if end - start > LONGEST:
            raise Invalid(f"{LONGEST.days} days at most come at once", pointer="?from")
        if end - start > LONGEST_OF_QUARTERS and queries.of_air([sensor], queries.quarters_of(standard)):
            most = f"{LONGEST_OF_QUARTERS.days} days at most"
            raise Invalid(f"{most} come at once of what is judged by quarters of hours", pointer="?from")
        offset = queries.offset_of(sensor, year=end.year)
        first = queries.last_full_hour(start, offset=offset) + HOUR
        length = max((queries.last_full_hour(end, offset=offset) - first) // HOUR + 1, 0)
        with asking.about_the_query():
            found = queries.index_history(sensor, standard=standard, method=method, first=first, length=length)
        told = {"sensor": sensor.id, "standard": standard.name, "method": chosen_method(method, standard.methods)}
        return Response(told | {"from": isoformat(start), "to": isoformat(end)} | _rows(found, standard))


def _rows(found: History, standard: Standard) -> dict[str, Any]:
    names = [one.name for one in standard.categories]
    places = found.categories(standard.categories).tolist()
    shown = [code for code in found.parameters if code in found.pollutants]
    columns = [found.index.tolist(), found.dominant.tolist(), *(found.pollutants[code].tolist() for code in shown)]
    rows = [
        [
            isoformat(found.first + number * HOUR),
            _known(index),
            None if place == NONE else names[place],
            None if dominant == NONE else found.parameters[dominant],
            *map(_known, own),
        ]
        for number, (place, index, dominant, *own) in enumerate(zip(places, *columns, strict=True))
    ]
    return {"columns": ["at", "index", "category", "dominant", *shown], "rows": rows}


def _known(index: int) -> int | None:
    return None if index == NONE else index


_CATEGORY: dict[str, Any] = {
    "upto": drf.IntegerField(allow_null=True, help_text="the highest index of the class; null for the last"),
    "name": drf.CharField(),
    "colour": drf.CharField(),
    "advice": drf.CharField(),
}
_STANDARD: dict[str, Any] = {
    "name": drf.CharField(),
    "title": drf.CharField(),
    "source": drf.CharField(),
    "methods": drf.ListField(child=drf.CharField(), help_text="the usual one first"),
    "parameters": drf.ListField(child=drf.CharField()),
    "categories": drf.ListField(child=inline_serializer("AirQualityClass", _CATEGORY)),
}
_LIMIT: dict[str, Any] = {
    "key": drf.CharField(),
    "parameter": drf.CharField(),
    "value": drf.FloatField(),
    "unit": drf.CharField(),
    "periods": drf.CharField(help_text="what is compared with it, or averaged over the year"),
    "kind": drf.CharField(),
    "years": drf.IntegerField(help_text="over which the law averages; `value` and `used` of a finding are of one"),
}
_LIMITS: dict[str, Any] = {
    "name": drf.CharField(),
    "title": drf.CharField(),
    "source": drf.CharField(),
    "capture": drf.FloatField(help_text="the share of a year that must be known"),
    "capture_source": drf.CharField(help_text="where that share is from"),
    "limits": drf.ListField(child=inline_serializer("LimitValue", _LIMIT)),
}
_STANDARDS = inline_serializer(
    "AirQualityStandards",
    {
        "standards": drf.ListField(child=inline_serializer("AirQualityStandard", _STANDARD)),
        "limits": drf.ListField(child=inline_serializer("LimitValues", _LIMITS)),
    },
)


class StandardsView(APIView):
    """The standards by which the air can be judged, and the limit values with which a year can be compared."""

    @extend_schema(operation_id="air_quality_standards", responses=_STANDARDS, tags=["air quality"])
    def get(self, request: Request) -> Response:
        refuse_unknown_parameters(request, ())
        return Response(
            {"standards": [_standard(standards.get(one)) for one in standards.names()], "limits": _limits()}
        )


def _standard(standard: Standard) -> dict[str, Any]:
    return {
        "name": standard.name,
        "title": standard.title,
        "source": standard.source,
        "methods": list(standard.methods),
        "parameters": list(standard.parameters),
        "categories": [
            {"upto": one.upto, "name": one.name, "colour": one.colour, "advice": one.advice}
            for one in standard.categories
        ],
    }


def _limits() -> list[dict[str, Any]]:
    return [
        {
            "name": one.name,
            "title": one.title,
            "source": one.source,
            "capture": one.capture,
            "capture_source": one.capture_source,
            "limits": [
                {
                    "key": limit.key,
                    "parameter": limit.parameter,
                    "value": float(limit.value),
                    "unit": limit.amount.unit,
                    "periods": str(limit.basis),
                    "kind": limit.kind,
                    "years": limit.years,
                }
                for limit in one.limits
            ],
        }
        for one in LIMIT_SETS.values()
    ]
