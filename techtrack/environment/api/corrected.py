"""The door to corrected dust beside the raw values."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers as drf
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from techtrack.airquality.correction import corrections
from techtrack.airquality.hours import HOUR, Floats, Hours
from techtrack.core import clock
from techtrack.core.api.filters import moment, refuse_unknown_parameters
from techtrack.core.clock import from_micros, isoformat, to_micros
from techtrack.core.errors import Invalid
from techtrack.environment import queries
from techtrack.environment.api import asking
from techtrack.environment.domain.pollutants import DUST

USUAL, LONGEST = timedelta(days=7), timedelta(days=366)
_FIELDS: dict[str, Any] = {
    "sensor": drf.IntegerField(),
    "parameter": drf.CharField(),
    "unit": drf.CharField(),
    "correction": drf.CharField(),
    "source": drf.CharField(),
    "corrected_from": drf.ListField(
        child=drf.CharField(),
        help_text="the parameters of which the corrected hours were computed; `raw` is `parameter` itself",
    ),
    "from": drf.DateTimeField(),
    "to": drf.DateTimeField(),
    "mean_raw": drf.FloatField(allow_null=True, help_text="of the hours in which both are known"),
    "mean_corrected": drf.FloatField(allow_null=True),
    "columns": drf.ListField(child=drf.CharField()),
    "rows": drf.ListField(child=drf.ListField(), help_text="an entry an hour, `at` being its end"),
}
_CORRECTED = inline_serializer("CorrectedDust", _FIELDS)
_CORRECTION: dict[str, Any] = {
    "name": drf.CharField(),
    "title": drf.CharField(),
    "source": drf.CharField(),
    "parameters": drf.ListField(child=drf.CharField()),
    "sources": drf.DictField(
        child=drf.ListField(child=drf.CharField()),
        help_text="by parameter, of what it is computed: of each hour the first of them that the sensor sent",
    ),
}
_CORRECTIONS = inline_serializer(
    "AirCorrections", {"results": drf.ListField(child=inline_serializer("AirCorrection", _CORRECTION))}
)


class CorrectionsView(APIView):
    """The corrections that a low-cost sensor may be given."""

    @extend_schema(operation_id="air_quality_corrections", responses=_CORRECTIONS, tags=["air quality"])
    def get(self, request: Request) -> Response:
        refuse_unknown_parameters(request, ())
        found = [(name, corrections.get(name)) for name in corrections.names()]
        return Response(
            {
                "results": [
                    {"name": name, "title": one.title, "source": one.source, "parameters": list(one.parameters)}
                    | {"sources": {code: list(one.sources(code)) for code in one.parameters}}
                    for name, one in found
                ]
            }
        )


class SensorCorrectedView(APIView):
    """The hourly means of a sensor's dust as it sent them, and corrected: by its own correction, or to try another."""

    @extend_schema(
        operation_id="sensor_corrected",
        parameters=[
            OpenApiParameter("parameter", OpenApiTypes.STR, enum=DUST, default="pm2_5"),
            OpenApiParameter("correction", OpenApiTypes.STR, enum=corrections.names(), description="the sensor's own"),
            OpenApiParameter("from", OpenApiTypes.DATETIME, description="seven days before `to` if left out"),
            OpenApiParameter("to", OpenApiTypes.DATETIME, description="now if left out; the last hour ends there"),
        ],
        responses=_CORRECTED,
        tags=["air quality"],
    )
    def get(self, request: Request, pk: int) -> Response:
        refuse_unknown_parameters(request, {"parameter", "correction", "from", "to"})
        sensor = asking.asked_sensor(request, pk)
        code = request.query_params.get("parameter", "pm2_5")
        name = request.query_params.get("correction") or _own(sensor.id, code)
        if code not in (correction := corrections.get(name, pointer="?correction")).parameters:
            raise Invalid(f"{name} corrects {', '.join(correction.parameters)}", pointer="?parameter")
        end = from_micros(moment(request, "to", to_micros(clock.plant_now())))
        start = from_micros(moment(request, "from", to_micros(end - USUAL)))
        if not timedelta(0) < end - start <= LONGEST:
            raise Invalid(f"from lies before to, {LONGEST.days} days at most", pointer="?from")
        first = queries.last_full_hour(start, offset=timedelta(0)) + HOUR
        length = max((queries.last_full_hour(end, offset=timedelta(0)) - first) // HOUR + 1, 0)
        air = queries.with_correction(sensor, code=code, correction=name, first=first, length=length)
        raw, done = air.raw[code], air.hours[code]
        head = {"sensor": sensor.id, "parameter": code, "unit": raw.unit, "correction": name}
        whence = {"source": correction.source, "corrected_from": list(air.applied[code].sources)}
        times = {"from": isoformat(start), "to": isoformat(end)}
        return Response(head | whence | times | _told(raw, done))


def _own(sensor_id: int, code: str) -> str:
    declared = queries.declared_for([sensor_id]).get(sensor_id)
    if declared is None or code not in declared.corrections:
        raise Invalid("the sensor has no correction of this: name one", pointer="?correction")
    return declared.corrections[code]


def _told(raw: Hours, done: Hours) -> dict[str, Any]:
    both = ~(np.isnan(raw.values) | np.isnan(done.values))
    rows = [
        [isoformat(raw.first + number * HOUR), *map(_known, pair)]
        for number, pair in enumerate(zip(raw.values.tolist(), done.values.tolist(), strict=True))
    ]
    return {
        "mean_raw": _mean(raw.values[both]),
        "mean_corrected": _mean(done.values[both]),
        "columns": ["at", "raw", "corrected"],
        "rows": rows,
    }


def _mean(values: Floats) -> float | None:
    return float(values.mean()) if len(values) else None


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
