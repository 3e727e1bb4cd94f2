"""Doors to single tables of a site and period, made when they are asked for: exceedances, data capture."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers as drf
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from techtrack.accounts.models import Site
from techtrack.airquality.limit_sets import LIMIT_SETS, limit_set
from techtrack.airquality.standard import standards
from techtrack.assets.models import Asset
from techtrack.core import clock
from techtrack.core.api.filters import BIGGEST_ID, refuse_unknown_parameters
from techtrack.core.errors import Invalid, NotFound
from techtrack.reports.api import forms
from techtrack.reports.api.air import USUAL_LIMITS, USUAL_STANDARD
from techtrack.reports.domain.periods import read_period
from techtrack.reports.queries import Asked, Part, table_of

SITE = OpenApiParameter("site", OpenApiTypes.INT64, required=True)
PERIOD = OpenApiParameter("period", OpenApiTypes.STR, required=True, description="`2026`, or `2026-11`")
STANDARD = OpenApiParameter("standard", OpenApiTypes.STR, enum=[*LIMIT_SETS], default=USUAL_LIMITS)
_HEAD: dict[str, Any] = {
    "site": drf.IntegerField(),
    "period": drf.CharField(),
    "state": drf.CharField(help_text="preliminary: only a report that is signed is not"),
    "from": drf.DateTimeField(),
    "to": drf.DateTimeField(),
    "through": drf.DateTimeField(help_text="when the last day ended that is over"),
    "columns": drf.ListField(child=drf.CharField()),
    "rows": drf.ListField(child=drf.ListField()),
}
_FILES = {
    (200, forms.MEDIA_TYPES[forms.CSV]): OpenApiTypes.BINARY,
    (200, forms.MEDIA_TYPES[forms.XLSX]): OpenApiTypes.BINARY,
    (200, forms.MEDIA_TYPES[forms.HTML]): OpenApiTypes.STR,
}


class TableView(APIView):
    """A table of a site and period, of the sensors that the caller may see."""

    content_negotiation_class = forms.ByFormat
    sheet: ClassVar[str]
    part: ClassVar[Part]

    def answer(self, request: Request) -> Response | HttpResponse:
        """Make the table in the form that is asked for."""
        refuse_unknown_parameters(request, {"site", "period", "standard", "format"})
        form = forms.asked_form(request, forms.CSV, forms.XLSX, forms.HTML)
        asked = _asked(request)
        access: Any = request.auth
        content = table_of(asked, self.part, now=clock.now(), among=Asset.objects.visible_to(access))
        about = {"title": content["title"], "state": "preliminary"}
        if form == forms.HTML:
            return forms.written(request, form, content=content, about=about)
        name = f"{self.sheet.replace(' ', '-')}-{asked.period}"
        if form != forms.JSON:
            return forms.table(form, name=name, sheet=self.sheet, content=content, about=about)
        head = {"site": asked.site.pk, "period": str(asked.period), "state": "preliminary"}
        times = {name: content[name] for name in ("from", "to", "through")}
        return Response(head | times | forms.columns(self.sheet, content))


class ExceedancesView(TableView):
    """Exceedances of limits at a site, by the year so far at the end of the period."""

    sheet, part = "exceedances", Part.EXCEEDANCES

    @extend_schema(
        operation_id="reports_exceedances",
        parameters=[SITE, PERIOD, STANDARD, forms.described(forms.CSV, forms.XLSX, forms.HTML)],
        responses={(200, "application/json"): inline_serializer("ExceedancesReport", dict(_HEAD)), **_FILES},
        tags=["reports"],
    )
    def get(self, request: Request) -> Response | HttpResponse:
        return self.answer(request)


class DataCaptureView(TableView):
    """How much of a period is known of each parameter at a site."""

    sheet, part = "data capture", Part.PARAMETERS

    @extend_schema(
        operation_id="reports_data_capture",
        parameters=[SITE, PERIOD, STANDARD, forms.described(forms.CSV, forms.XLSX, forms.HTML)],
        responses={(200, "application/json"): inline_serializer("DataCaptureReport", dict(_HEAD)), **_FILES},
        tags=["reports"],
    )
    def get(self, request: Request) -> Response | HttpResponse:
        return self.answer(request)


def _asked(request: Request) -> Asked:
    limits = request.query_params.get("standard", USUAL_LIMITS)
    return Asked(
        _site(request),
        read_period(request.query_params.get("period", ""), pointer="?period"),
        limit_set(limits, pointer="?standard"),
        standards.get(USUAL_STANDARD),
    )


def _site(request: Request) -> Site:
    text = request.query_params.get("site", "")
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(BIGGEST_ID))):
        raise Invalid("site is an id: a whole number", pointer="?site")
    access: Any = request.auth
    found: Site | None = Site.objects.visible_to(access).filter(pk=min(int(text), BIGGEST_ID)).first()
    if found is None:
        raise NotFound("there is no such site")
    return found
