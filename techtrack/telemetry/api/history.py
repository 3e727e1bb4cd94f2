"""Doors for what was: statistics of series over time, or the readings that draw them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any, ClassVar

import msgspec
import numpy as np
from django.http import HttpResponse, HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from techtrack.assets.models import Asset
from techtrack.core import clock
from techtrack.core.api.downloads import ByFormat
from techtrack.core.api.filters import BIGGEST_ID, refuse_unknown_parameters
from techtrack.core.clock import from_micros, isoformat, to_micros
from techtrack.core.errors import NotFound
from techtrack.telemetry import queries
from techtrack.telemetry.api import asking
from techtrack.telemetry.api.downloads import FILES, FORMAT, asked_form, download, file_name
from techtrack.telemetry.api.listing import codes, ids_and_keys
from techtrack.telemetry.api.recalling import recalled
from techtrack.telemetry.api.serializers import HistorySerializer, unreadable_as_json
from techtrack.telemetry.domain.moments import rfc3339
from techtrack.telemetry.files.tables import Block, Column, Form, Type
from techtrack.telemetry.queries import SeriesBuckets, Subject, Unreadable
from techtrack.telemetry.store.base import Span

_TAG = re.compile(r'(?:W/)?("[^"]*")')
RESPONSES: dict[Any, Any] = {
    (200, "application/json"): HistorySerializer,
    **FILES,
    304: OpenApiResponse(description="The same as what `If-None-Match` names."),
}
ONLY_IF_NEW = OpenApiParameter(
    "If-None-Match", OpenApiTypes.STR, OpenApiParameter.HEADER, description="ETag of an answer whose `to` was past"
)


class HistoryView(APIView):
    """Statistics over time of several assets and parameters at once; series without a usable value are left out.

    The mean of a direction (`wind_direction`, in degrees) is that of vectors: of 350 and 10 it is 0. It has no extremes
    and no spread: they are null, and `notes` says so.

    With `fill=previous` a series that has values only before `from` is told of too.
    """

    content_negotiation_class = ByFormat
    remembers_callers = direct = True

    @extend_schema(
        operation_id="history",
        parameters=[
            OpenApiParameter("asset", OpenApiTypes.STR, required=True, description="ids or keys, separated by commas"),
            *asking.DESCRIBED,
            FORMAT,
            ONLY_IF_NEW,
        ],
        responses=RESPONSES,
        tags=["readings"],
    )
    def get(self, request: Request) -> HttpResponseBase:
        refuse_unknown_parameters(request, {"asset"} | asking.PARAMETERS)
        ids, keys = ids_and_keys(request.query_params.get("asset", ""), "?asset")
        found = recalled(request, ("subjects", *ids, *keys), lambda: _subjects(request, ids, keys))
        if not {*ids, *keys} <= {subject.id for subject in found} | {subject.key for subject in found}:
            raise NotFound("one of the assets does not exist, or you may not see it")
        return history(request, found)


def asset_history(kind: str) -> Callable[..., HttpResponse]:
    """Make the door for the history of equipment or a sensor."""

    class AssetHistoryView(APIView):
        """Statistics over time of one asset."""

        content_negotiation_class = ByFormat
        remembers_callers = direct = True
        asset_kind: ClassVar[str] = kind

        @extend_schema(
            operation_id=f"{kind}_history",
            parameters=[*asking.DESCRIBED, FORMAT, ONLY_IF_NEW],
            responses=RESPONSES,
            tags=["readings"],
        )
        def get(self, request: Request, pk: int) -> HttpResponseBase:
            refuse_unknown_parameters(request, asking.PARAMETERS)
            return history(request, [one_subject(request, kind, pk)])

    return AssetHistoryView.as_view()


def one_subject(request: Request, kind: str, pk: int) -> Subject:
    """Return the asset of an address.

    Raises:
        NotFound: there is none, or the caller may not see it.
    """
    found = recalled(request, ("subject", kind, pk), lambda: _subjects(request, [min(pk, BIGGEST_ID)], kind=kind))
    if not found:
        raise NotFound("there is no such asset")
    return found[0]


def _subjects(request: Request, ids: Sequence[int], keys: Sequence[str] = (), **of: str) -> list[Subject]:
    access: Any = request.auth
    rows = Asset.objects.visible_to(access).filter(**of)
    return queries.subjects(rows.filter(pk__in=ids) | rows.filter(key__in=keys) if keys else rows.filter(pk__in=ids))


def history(request: Request, subjects: list[Subject]) -> HttpResponseBase:
    """Answer the query of ``request`` for the assets."""
    form = asked_form(request)
    if asking.asks_for_drawing(request):
        return _drawing(request, subjects, form)
    question = asking.read_question(request, subjects)
    with queries.looking([subject.id for subject in subjects], question.span) as lost:
        found = queries.history(question)
        units = _units(request, [(series.subject, series.code) for series in found])
    if form is not None:
        columns = _columns(Column("start", Type.TIME), Column("count", Type.INTEGER), *question.statistics)
        rows = ((s.subject, s.code, [s.starts, s.count, *s.columns.values()]) for s in found)
        blocks = chain(_blocks(rows, units), _lost(lost, subjects, columns))
        return download(form, name=file_name("history", question.span), columns=columns, blocks=blocks)
    names = ["start", "count", *question.statistics]
    listed = [_series(series, units[series.subject.id, series.code], names) for series in found]
    head = _head(question.span, str(question.interval), question.zone.key)
    return _json(request, question.span, {**head, "series": listed, **unreadable_as_json(lost)})


def _drawing(request: Request, subjects: list[Subject], form: Form | None) -> HttpResponseBase:
    span, points = asking.read_span(request), asking.read_points(request, fewest=asking.FEWEST_DRAWN)
    by_id = {subject.id: subject for subject in subjects}
    with queries.looking(list(by_id), span) as lost:
        found = queries.thinned(list(by_id), codes=codes(request), span=span, points=points)
        units = _units(request, [(by_id[asset], code) for asset, code in found])
    if form is not None:
        columns = _columns(Column("time", Type.TIME), Column("value", Type.NUMBER))
        rows = ((by_id[asset], code, list(cells)) for (asset, code), cells in sorted(found.items(), key=_place))
        blocks = chain(_blocks(rows, units), _lost(lost, subjects, columns))
        return download(form, name=file_name("readings", span), columns=columns, blocks=blocks)
    listed = [
        {
            "asset": asset,
            "parameter": code,
            "unit": units[asset, code],
            "completeness": None,
            "columns": ["time", "value"],
            "rows": list(zip(rfc3339(times), values.tolist(), strict=True)),
        }
        for (asset, code), (times, values) in sorted(found.items(), key=_place)
    ]
    head = _head(span, None, asking.read_zone(request, subjects).key)
    return _json(request, span, {**head, "series": listed, **unreadable_as_json(lost)})


def _units(request: Request, series: list[tuple[Subject, str]]) -> dict[tuple[int, str], str]:
    what = ("units", *((subject.id, code) for subject, code in series))
    return recalled(request, what, lambda: queries.units(series))


def _place(item: tuple[tuple[int, str], Any]) -> tuple[int, str]:
    return item[0]


def _series(series: SeriesBuckets, unit: str, names: list[str]) -> dict[str, Any]:
    columns = (series.count, *series.columns.values())
    told = {
        "asset": series.subject.id,
        "parameter": series.code,
        "unit": unit,
        "completeness": series.completeness,
        "columns": names,
        "rows": list(zip(rfc3339(series.starts), *(column.tolist() for column in columns), strict=True)),
    }
    return told | ({"notes": dict(series.notes)} if series.notes else {})


def _head(span: Span, interval: str | None, zone: str) -> dict[str, str | None]:
    start, end = (isoformat(from_micros(time)) for time in span)
    return {"from": start, "to": end, "interval": interval, "timezone": zone}


def _json(request: Request, span: Span, told: dict[str, Any]) -> HttpResponseBase:
    """Encode the answer; NaN becomes null. Of a range that is over it can be asked whether it is still the same."""
    body = msgspec.json.encode(told)
    answer = HttpResponse(body, content_type="application/json")
    if "to" not in request.query_params or span[1] > to_micros(clock.now()):
        answer["Cache-Control"] = "private, no-store"
        return answer
    # Late readings, corrections, marks, units, zones and retention change the past: a hash of the answer itself
    # sees them all, and making the answer costs little more than asking what it depends on.
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    if tag in _TAG.findall(request.headers.get("If-None-Match", "")):
        answer = HttpResponse(status=304)
    answer["ETag"], answer["Cache-Control"] = tag, "private, no-cache"
    return answer


def _columns(*columns: Column | str) -> list[Column]:
    fixed = [Column("asset", Type.INTEGER), *(Column(name, Type.TEXT) for name in ("key", "parameter", "unit"))]
    return [*fixed, *(Column(c, Type.NUMBER) if isinstance(c, str) else c for c in columns)]


def _lost(lost: Sequence[Unreadable], subjects: list[Subject], columns: Sequence[Column]) -> Iterator[Block]:
    """Say in rows what cannot be read; no code of a parameter has a space."""
    keys = {subject.id: subject.key or "" for subject in subjects}
    for one in lost:
        rest = [np.zeros(1, np.int64) if c.type is Type.INTEGER else np.full(1, np.nan) for c in columns[5:]]
        yield [np.array([one.asset]), [keys[one.asset]], [one.told()], [""], np.array([one.start]), *rest]


def _blocks(series: Iterator[tuple[Subject, str, Sequence[Any]]], units: dict[tuple[int, str], str]) -> Iterator[Block]:
    for subject, code, cells in series:
        many = len(cells[0])
        texts = (subject.key or "", code, units[subject.id, code])
        yield [np.full(many, subject.id), *([text] * many for text in texts), *cells]
