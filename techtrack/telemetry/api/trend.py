"""Where a series is heading: its robust slope, a forecast, and when it meets a limit."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers as drf
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from techtrack.core.api.filters import refuse_unknown_parameters
from techtrack.core.clock import MICROSECOND, from_micros, isoformat, read_duration
from techtrack.core.errors import Invalid
from techtrack.telemetry import queries
from techtrack.telemetry.api.asking import read_span
from techtrack.telemetry.api.history import one_subject
from techtrack.telemetry.api.listing import codes
from techtrack.telemetry.domain.trend import FEWEST, Trend
from techtrack.telemetry.domain.windows import DAY
from techtrack.telemetry.store.base import Span

STEPS = 10
LONGEST = timedelta(days=3660)
CONFIDENCE = (0.5, 0.999)
QUERY = {"parameter", "from", "to", "limit", "horizon", "confidence"}
DESCRIBED = [
    OpenApiParameter("parameter", OpenApiTypes.STR, description="a code; may be left out where the asset has one only"),
    OpenApiParameter("from", OpenApiTypes.DATETIME, description="seven days before `to` if left out"),
    OpenApiParameter("to", OpenApiTypes.DATETIME, description="now if left out"),
    OpenApiParameter("limit", OpenApiTypes.DOUBLE, description="asks when the line meets this value"),
    OpenApiParameter(
        "horizon",
        OpenApiTypes.DURATION,
        description="how far to forecast behind `to`; as long as the past, if left out",
    ),
    OpenApiParameter(
        "confidence",
        {"type": "number", "minimum": CONFIDENCE[0], "maximum": CONFIDENCE[1]},
        description="of the intervals, 0.95 if left out",
    ),
]
_POINT = inline_serializer(
    "ForecastPoint",
    {"at": drf.DateTimeField(), "value": drf.FloatField(), "low": drf.FloatField(), "high": drf.FloatField()},
)
_REACHES = inline_serializer(
    "Reaches",
    {
        "limit": drf.FloatField(),
        "at": drf.DateTimeField(allow_null=True),
        "earliest": drf.DateTimeField(allow_null=True),
        "latest": drf.DateTimeField(allow_null=True, help_text="null: with the flattest slope, never"),
        "reason": drf.CharField(allow_null=True, help_text="why `at` is null"),
    },
    allow_null=True,
)
_FIELDS: dict[str, Any] = {
    "asset": drf.IntegerField(),
    "parameter": drf.CharField(),
    "unit": drf.CharField(),
    "from": drf.DateTimeField(),
    "to": drf.DateTimeField(),
    "confidence": drf.FloatField(),
    "count": drf.IntegerField(help_text="usable values"),
    "points": drf.IntegerField(help_text="averages of equal stretches, through which the line is laid"),
    "slope": drf.FloatField(allow_null=True, help_text="units per hour (Theil-Sen)"),
    "slope_low": drf.FloatField(allow_null=True),
    "slope_high": drf.FloatField(allow_null=True),
    "direction": drf.ChoiceField(
        ["rising", "falling", "steady"], allow_null=True, help_text="steady where the interval of the slope holds 0"
    ),
    "forecast": drf.ListField(child=_POINT),
    "reaches": _REACHES,
    "reason": drf.CharField(allow_null=True, help_text="why there is no slope"),
}
ANSWER = inline_serializer("Trend", _FIELDS)


def asset_trend(kind: str) -> Callable[..., HttpResponse]:
    """Make the door for the trend of equipment or a sensor."""

    class TrendView(APIView):
        """The slope of a parameter that a few wild values do not bend, with its interval, and what follows from it.

        Its slope is the median of those between averages of up to 200 equal stretches. The line is straight: it
        knows of no day and night, and the further a forecast reaches the less it is worth.
        """

        @extend_schema(operation_id=f"{kind}_trend", parameters=DESCRIBED, responses=ANSWER, tags=["readings"])
        def get(self, request: Request, pk: int) -> Response:
            refuse_unknown_parameters(request, QUERY)
            subject = one_subject(request, kind, pk)
            span, confidence = read_span(request, default=7 * DAY), _confidence(request)
            horizon, limit = _horizon(request, span), _number(request, "limit")
            code = _code(request, subject.id)
            trend, count = queries.trend(asset_id=subject.id, code=code, span=span, confidence=confidence)
            told = {
                "asset": subject.id,
                "parameter": code,
                "unit": queries.units([(subject, code)])[subject.id, code],
                "from": isoformat(from_micros(span[0])),
                "to": isoformat(from_micros(span[1])),
                "confidence": confidence,
                "count": count,
            }
            return Response(told | _told(trend, span, horizon, limit))

    return TrendView.as_view()


def _told(trend: Trend | None, span: Span, horizon: int, limit: float | None) -> dict[str, Any]:
    if trend is None:
        reason = f"there are values in fewer than {FEWEST} of the equal stretches (200 at most) of the time asked for"
        nothing = dict.fromkeys(("slope", "slope_low", "slope_high", "direction"))
        reaches = None if limit is None else _reach(limit, None, reason=reason)
        return {"points": 0, **nothing, "forecast": [], "reaches": reaches, "reason": reason}
    direction = "rising" if trend.low > 0 else "falling" if trend.high < 0 else "steady"
    forecast = [_point(trend, span[1] + horizon * step // STEPS) for step in range(1, STEPS + 1)]
    return {
        "points": trend.points,
        "slope": trend.slope,
        "slope_low": trend.low,
        "slope_high": trend.high,
        "direction": direction,
        "forecast": forecast,
        "reaches": None if limit is None else _reaches(trend, limit, span[1]),
        "reason": None,
    }


def _point(trend: Trend, at: int) -> dict[str, Any]:
    value, low, high = trend.at(at)
    return {"at": isoformat(from_micros(at)), "value": value, "low": low, "high": high}


def _reaches(trend: Trend, limit: float, now: int) -> dict[str, Any]:
    """Tell when the line meets the limit, and when the steepest and flattest slopes of the interval would."""
    distance, end = limit - trend.at(now)[0], now + LONGEST // MICROSECOND
    if distance and (distance > 0) != (trend.slope > 0):
        leads = "the limit lies behind already, or the line leads away from it"
        return _reach(limit, None, reason=leads if trend.slope else "the line is level")
    at = trend.reaches(limit, trend.slope) if distance else now
    if at is None or at > end:
        return _reach(limit, None, reason="the line meets the limit more than ten years from now, if ever")
    steep, flat = (trend.high, trend.low) if trend.slope > 0 else (trend.low, trend.high)
    earliest = max(trend.reaches(limit, steep) or now, now)
    latest = trend.reaches(limit, flat) if (flat > 0) == (trend.slope > 0) else None
    return _reach(
        limit, max(at, now), earliest=min(earliest, max(at, now)), latest=latest if latest is None else min(latest, end)
    )


def _reach(
    limit: float, at: int | None, *, earliest: int | None = None, latest: int | None = None, reason: str | None = None
) -> dict[str, Any]:
    times = {"at": at, "earliest": earliest, "latest": latest}
    told = {name: None if time is None else isoformat(from_micros(time)) for name, time in times.items()}
    return {"limit": limit, **told, "reason": reason}


def _code(request: Request, asset_id: int) -> str:
    asked = codes(request)
    if len(asked) == 1:
        return asked[0]
    known = sorted(queries.latest([asset_id]).get(asset_id, {}))
    if not asked and len(known) == 1:
        return known[0]
    raise Invalid(f"one parameter is expected, of {', '.join(known[:20]) or 'those to come'}", pointer="?parameter")


def _horizon(request: Request, span: Span) -> int:
    text = request.query_params.get("horizon")
    found = read_duration(text) if text is not None else timedelta(microseconds=span[1] - span[0])
    if found is None or not timedelta(0) < found:
        raise Invalid("horizon is an ISO 8601 duration such as PT24H or P7D", pointer="?horizon")
    if text is not None and found > LONGEST:
        raise Invalid("horizon is ten years at most", pointer="?horizon")
    return min(found, LONGEST) // MICROSECOND


def _confidence(request: Request) -> float:
    found = _number(request, "confidence")
    if found is None:
        return 0.95
    if not CONFIDENCE[0] <= found <= CONFIDENCE[1]:
        raise Invalid(f"confidence is from {CONFIDENCE[0]} to {CONFIDENCE[1]}", pointer="?confidence")
    return found


def _number(request: Request, name: str) -> float | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise Invalid(f"{name} is a number", pointer=f"?{name}")
    return found
