"""The forms in which a report is given: JSON, a page that prints well, a workbook, and a table as CSV."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request

from techtrack.core.errors import Invalid
from techtrack.reports.files.sheets import as_csv, as_workbook, head_of, sheet_of, sheets_of

JSON, HTML, XLSX, CSV = "json", "html", "xlsx", "csv"
MEDIA_TYPES = {
    HTML: "text/html",
    XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    CSV: "text/csv",
}


class ByFormat(DefaultContentNegotiation):
    """Lets ``?format=`` decide: a browser that asks for text/html with it must not be told 406."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        if request.query_params.get("format", JSON) != JSON:
            return renderers[0], renderers[0].media_type
        return super().select_renderer(request, renderers, format_suffix)


def described(*names: str) -> OpenApiParameter:
    """Describe the parameter ``format`` with these forms beside JSON."""
    return OpenApiParameter(
        "format", OpenApiTypes.STR, enum=[JSON, *names], default=JSON, description="`html` is a page that prints well"
    )


def asked_form(request: Request, *names: str) -> str:
    """Read which form is wanted, one of ``names`` or JSON.

    Raises:
        Invalid: it is none of them.
    """
    name = request.query_params.get("format", JSON)
    if name not in (JSON, *names):
        raise Invalid(f"format is one of {', '.join([JSON, *names])}", pointer="?format")
    return name


def written(request: HttpRequest, form: str, *, content: Mapping[str, Any], about: Mapping[str, Any]) -> HttpResponse:
    """Return a report as a page or a workbook."""
    if form == HTML:
        page = render_to_string("reports/air.html", {"report": _shown(content), "about": about}, request=request)
        return HttpResponse(page, content_type="text/html; charset=utf-8")
    return _file(as_workbook(sheets_of(content, about)), form, f"air-quality-{content['period']}")


def _shown(content: Mapping[str, Any]) -> dict[str, Any]:
    """Add to each parameter its capture in percent, cut off at a tenth: nothing but all of it is 100 %."""
    sensors = [
        # Shares have six decimals: what binary fractions add beyond them is taken off first.
        sensor
        | {
            "parameters": [
                one | {"percent": f"{floor(round(one['capture'] * 1000, 3)) / 10:.1f} %"}
                for one in sensor.get("parameters", [])
            ]
        }
        for sensor in content["sensors"]
    ]
    return {**content, "sensors": sensors}


def table(form: str, *, name: str, sheet: str, content: Mapping[str, Any], about: Mapping[str, Any]) -> HttpResponse:
    """Return one table of a report as CSV, or with what is told of the report as a workbook."""
    found = sheet_of(sheet, content)
    if form == CSV:
        return _file(as_csv(found), CSV, name)
    return _file(as_workbook([head_of(about), found]), XLSX, name)


def columns(sheet: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return one table of a report as JSON."""
    found = sheet_of(sheet, content)
    return {"columns": list(found.columns), "rows": found.rows}


def _file(data: bytes, form: str, name: str) -> HttpResponse:
    answer = HttpResponse(data, content_type=MEDIA_TYPES[form])
    answer["Content-Disposition"] = f'attachment; filename="{name}.{form}"'
    answer["Cache-Control"] = "private, no-store"
    return answer
