"""The door for key figures of maintenance."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers as drf
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from techtrack.assets.models import Asset, Kind
from techtrack.core import clock
from techtrack.core.api import spans
from techtrack.core.api.fields import IsoDurationField
from techtrack.core.api.filters import refuse_unknown_parameters
from techtrack.core.clock import from_micros, isoformat, measured_duration
from techtrack.tasks.api.asked import asked_place
from techtrack.tasks.domain.kpi import Compliance, Overdue, Reliability
from techtrack.tasks.queries.kpi import Scope, kpi

USUAL = timedelta(days=30)
MOST_LISTED = 200
_QUERY = {"equipment", "sensor", "site", "from", "to", "timezone"}


def _duration(text: str, *, null: bool = False) -> drf.Field:
    return IsoDurationField(help_text=text, allow_null=null)


_RELIABILITY: dict[str, Any] = {
    "failures": drf.IntegerField(help_text="corrective down times that began in this time; those that touch are one"),
    "up": _duration("not down"),
    "operating": _duration("up, and at work as telemetry saw it, where its type says by what one sees that"),
    "corrective": _duration("down because of failures; what still lasts is counted to now"),
    "planned": _duration("down as planned, and not because of a failure"),
    "mtbf": _duration("operating time by failures; null where nothing failed", null=True),
    "mtbf_at_least": _duration("where nothing failed: the time in which it did not", null=True),
    "mttr": _duration("corrective down time by failures; null where nothing failed", null=True),
    "availability": drf.FloatField(
        allow_null=True, help_text="the share of the time in which it was to be ready that it was (EN 15341:2019, M10)"
    ),
}
_ANSWER: dict[str, Any] = {
    "from": drf.DateTimeField(),
    "to": drf.DateTimeField(),
    "reliability": inline_serializer("MaintenanceReliability", dict(_RELIABILITY)),
    "overdue": inline_serializer(
        "MaintenanceBacklog",
        {
            "unfinished": drf.IntegerField(),
            "overdue": drf.IntegerField(),
            "longest": _duration("for how long the worst of them is overdue", null=True),
        },
    ),
    "plans": inline_serializer(
        "PlanCompliance",
        {
            "in_time": drf.IntegerField(
                help_text="done by its date, or within a fifth of the interval, at most 28 days"
            ),
            "late": drf.IntegerField(),
            "missed": drf.IntegerField(help_text="not done, or called off"),
            "waiting": drf.IntegerField(help_text="not judged yet: there is still time"),
            "compliance": drf.FloatField(allow_null=True, help_text="the share of what is judged that was in time"),
        },
    ),
    "count": drf.IntegerField(help_text="of the assets that were measured"),
    "assets": drf.ListField(
        child=inline_serializer(
            "AssetReliability",
            {
                "equipment": drf.IntegerField(allow_null=True),
                "sensor": drf.IntegerField(allow_null=True),
                "name": drf.CharField(),
                **_RELIABILITY,
            },
        ),
        help_text=f"those that were down for longest first, {MOST_LISTED} of them",
    ),
}
_DESCRIBED = [
    *(OpenApiParameter(name, OpenApiTypes.INT64) for name in ("equipment", "sensor")),
    OpenApiParameter("site", OpenApiTypes.INT64, description="all that you may see, if left out"),
    OpenApiParameter(
        "from", OpenApiTypes.STR, description="a time with an offset, or a day; 30 days before `to` if left out"
    ),
    OpenApiParameter("to", OpenApiTypes.STR, description="likewise; now if left out, and at the latest"),
    OpenApiParameter("timezone", OpenApiTypes.STR, description="on whose clock days begin; that of the site, else UTC"),
]


class MaintenanceKpiView(APIView):
    """How well assets are maintained: failures, repairs and availability, overdue work, plans that were kept.

    As EN 15341 counts: MTBF is operating time by failures, MTTR corrective down time by failures; what is planned is in
    neither. The tasks counted are those that the caller may see.
    """

    @extend_schema(
        operation_id="tasks_kpi",
        parameters=_DESCRIBED,
        responses=inline_serializer("MaintenanceKpi", _ANSWER),
        tags=["tasks"],
    )
    def get(self, request: Request) -> Response:
        refuse_unknown_parameters(request, _QUERY)
        access: Any = request.auth
        place, now = asked_place(request), clock.now()
        start, end = map(from_micros, spans.past(request, zone=place.zone, usual=USUAL, now=now))
        scope = Scope(access, start, end, asset_id=place.asset_id, site_id=place.site_id)
        report = kpi(scope, now=now)
        worst = sorted(report.assets, key=lambda one: (-one[1].corrective, one[0].name, one[0].pk))
        return Response(
            {
                "from": isoformat(start),
                "to": isoformat(end),
                "reliability": _reliability(report.whole),
                "overdue": _backlog(report.backlog),
                "plans": _compliance(report.plans),
                "count": len(report.assets),
                "assets": [_asset(asset) | _reliability(one) for asset, one in worst[:MOST_LISTED]],
            }
        )


def _asset(asset: Asset) -> dict[str, Any]:
    return {
        "equipment": asset.pk if asset.kind == Kind.EQUIPMENT else None,
        "sensor": asset.pk if asset.kind == Kind.SENSOR else None,
        "name": asset.name,
    }


def _reliability(one: Reliability) -> dict[str, Any]:
    lengths = ("up", "operating", "corrective", "planned", "mtbf", "mtbf_at_least", "mttr")
    told = {name: _iso(getattr(one, name)) for name in lengths}
    return {"failures": one.failures, **told, "availability": one.availability}


def _backlog(one: Overdue) -> dict[str, Any]:
    return asdict(one) | {"longest": _iso(one.longest)}


def _compliance(one: Compliance) -> dict[str, Any]:
    return asdict(one) | {"compliance": one.ratio}


def _iso(length: timedelta | None) -> str | None:
    return None if length is None else measured_duration(length)
