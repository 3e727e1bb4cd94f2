"""The door to a year of a sensor against limit values."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers as drf
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from techtrack.airquality.exceedances import Finding
from techtrack.core import clock
from techtrack.core.api.filters import refuse_unknown_parameters
from techtrack.core.clock import isoformat
from techtrack.environment import queries
from techtrack.environment.api import asking

_FORECAST = inline_serializer(
    "YearForecast",
    {"low": drf.FloatField(), "expected": drf.FloatField(), "high": drf.FloatField()},
    allow_null=True,
    help_text="of `used`, or of `value` where nothing is counted, at the end of the year; nine times of ten it lies "
    "between `low` and `high`, if the days to come are like those that were",
)
_OVER_YEARS = inline_serializer(
    "MeanOfYears",
    {
        "years": drf.ListField(child=drf.IntegerField(), help_text="those of them that are known well enough"),
        "mean": drf.FloatField(),
        "exceeded": drf.BooleanField(),
    },
    allow_null=True,
    help_text="the mean of this year and those before, of ozone, where the law averages over several: of `used` in the "
    "EU, of `value` in the US",
)
FINDING: dict[str, Any] = {
    "limit": drf.CharField(help_text="its key, as `GET /api/air-quality/standards/` lists"),
    "parameter": drf.CharField(),
    "kind": drf.CharField(),
    "limit_value": drf.FloatField(),
    "unit": drf.CharField(),
    "periods": drf.CharField(help_text="what is compared with the limit, or averaged over the year"),
    "value": drf.FloatField(
        allow_null=True,
        help_text="what decides: a mean, a percentile, or the highest period after those that are allowed",
    ),
    "used": drf.IntegerField(allow_null=True, help_text="periods above the limit so far; null where none are counted"),
    "allowed": drf.IntegerField(allow_null=True),
    "left": drf.IntegerField(allow_null=True),
    "exceeded": drf.BooleanField(allow_null=True, help_text="by the year so far; null where too little is known"),
    "capture": drf.FloatField(help_text="the share of the periods that is known"),
    "forecast": _FORECAST,
    "over_years": _OVER_YEARS,
    "reason": drf.CharField(allow_null=True),
}
_ANSWER = inline_serializer(
    "Exceedances",
    {
        "sensor": drf.IntegerField(),
        "standard": drf.CharField(),
        "title": drf.CharField(),
        "source": drf.CharField(),
        "year": drf.IntegerField(),
        "from": drf.DateTimeField(help_text="when the year begins by the site's standard time"),
        "days": drf.IntegerField(help_text="that are over, and are looked at"),
        "days_left": drf.IntegerField(),
        "capture_needed": drf.FloatField(),
        "findings": drf.ListField(child=inline_serializer("Exceedance", FINDING)),
    },
)


class SensorExceedancesView(APIView):
    """A year of a sensor against limit values: what is used of what is allowed, what is left, and how it may end."""

    @extend_schema(
        operation_id="sensor_exceedances",
        parameters=[asking.LIMITS, asking.YEAR],
        responses=_ANSWER,
        tags=["air quality"],
    )
    def get(self, request: Request, pk: int) -> Response:
        refuse_unknown_parameters(request, {"standard", "year"})
        sensor, limits, now = asking.asked_sensor(request, pk), asking.asked_limits(request), clock.plant_now()
        number = asking.asked_year(request, offset=queries.offset_of(sensor, year=now.year))
        year = queries.year_at(number, subject=sensor, now=now)
        findings = queries.exceedances_of(sensor, limits=limits, year=year)
        return Response(
            {
                "sensor": sensor.id,
                "standard": limits.name,
                "title": limits.title,
                "source": limits.source,
                "year": number,
                "from": isoformat(year.begin),
                "days": year.days,
                "days_left": year.rest,
                "capture_needed": round(limits.capture, 4),
                "findings": [finding_as_json(one) for one in findings],
            }
        )


def finding_as_json(one: Finding) -> dict[str, Any]:
    """Write what a year says of a limit."""
    ends, over = one.forecast, one.over_years
    return {
        "limit": one.limit.key,
        "parameter": one.limit.parameter,
        "kind": one.limit.kind,
        "limit_value": float(one.limit.value),
        "unit": one.limit.amount.unit,
        "periods": str(one.limit.basis),
        "value": one.value,
        "used": one.used,
        "allowed": one.allowed,
        "left": one.left,
        "exceeded": one.exceeded,
        "capture": round(one.capture, 4),
        "forecast": {"low": ends.low, "expected": ends.expected, "high": ends.high} if ends else None,
        "over_years": {"years": list(over.years), "mean": round(over.mean, 6), "exceeded": over.exceeded}
        if over
        else None,
        "reason": one.reason or None,
    }
