"""Lists of readings, newest first, paged by a cursor that names a place in that order; or all of them as a file."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from techtrack.assets.models import Asset
from techtrack.core.api.downloads import refuse_pages
from techtrack.core.api.filters import moment
from techtrack.core.api.pagination import whole_number
from techtrack.core.errors import Invalid
from techtrack.telemetry import queries
from techtrack.telemetry.api.downloads import FORMAT, download, file_name
from techtrack.telemetry.api.serializers import row_as_json, unreadable_as_json
from techtrack.telemetry.domain.items import BIGGEST_ID, CODE
from techtrack.telemetry.domain.reading import FOREVER
from techtrack.telemetry.files.tables import Form
from techtrack.telemetry.queries import Found, Place, Unreadable, export_table
from techtrack.telemetry.store.base import Span

PARAMETERS = {"site", "type", "parameter", "from", "to", "cursor", "page_size", "format"}


@dataclass(frozen=True, slots=True)
class Page:
    """A page of readings and the addresses of its neighbours."""

    rows: list[Found]
    name: str
    next_url: str | None
    previous_url: str | None
    unreadable: list[Unreadable]

    def as_json(self) -> dict[str, Any]:
        """Write the page."""
        results = [row_as_json(row, self.name) for row in self.rows]
        return {"next": self.next_url, "previous": self.previous_url, "results": results} | (
            unreadable_as_json(self.unreadable)
        )


def read_page(request: Request, name: str) -> Page:
    """Read the page that the query asks for, of readings of equipment or sensors (``name``)."""
    size = whole_number(request, "page_size", default=50, highest=500)
    ids = list(_assets(request, name).order_by().values_list("pk", flat=True))
    span = _span(request)
    direction, place = _cursor(request.query_params.get("cursor"))
    # One more than the page tells whether there is a neighbour.
    query: dict[str, Any] = {"asset_ids": ids, "span": span, "limit": size + 1, "parameters": codes(request)}
    with queries.looking(ids, span) as lost:
        if direction == "newer" and place:
            found = queries.newer(after=place, **query)
            rows = found[-size:]
            before, behind = len(found) > size, True
        else:
            found = queries.older(before=place, **query)
            rows = found[:size]
            before, behind = place is not None, len(found) > size
    next_url = _url(request, "older", rows[-1]) if behind and rows else None
    previous_url = _url(request, "newer", rows[0]) if before and rows else None
    return Page(rows, name, next_url, previous_url, queries.within(lost, _shown(span, rows, before, behind)))


def _shown(span: Span, rows: list[Found], before: bool, behind: bool) -> Span:  # noqa: FBT001 - two ends, two flags
    """Return which part of the span a page covers: up to its ends where it has neighbours."""
    first = rows[-1].time if behind and rows else span[0]
    last = rows[0].time + 1 if before and rows else span[1]
    return first, last


def export(request: Request, name: str, form: Form) -> StreamingHttpResponse:
    """Answer with all readings that the query asks for as a file: asset by asset, each in order of time.

    Raises:
        Invalid: the query speaks of pages.
    """
    refuse_pages(request)
    subjects, span, chosen = queries.subjects(_assets(request, name)), _span(request), codes(request)
    table = export_table(subjects, name=name, codes=chosen, span=span)
    what = {"equipment": "data", "sensor": "measurements"}[name]
    return download(form, name=file_name(what, span), columns=table[0], blocks=table[1])


def described(name: str) -> list[OpenApiParameter]:
    """Document the query of a list."""
    texts = {
        name: "ids or keys, separated by commas",
        "site": "a site's id",
        "type": "a type's slug",
        "parameter": "only readings that have it; codes, separated by commas",
        "cursor": "from `next` or `previous`",
    }
    parameters = [OpenApiParameter(key, OpenApiTypes.STR, description=text) for key, text in texts.items()]
    parameters += [OpenApiParameter(key, OpenApiTypes.DATETIME) for key in ("from", "to")]
    parameters.append(FORMAT)
    return [*parameters, OpenApiParameter("page_size", {"type": "integer", "minimum": 1, "maximum": 500})]


def codes(request: Request) -> list[str]:
    """Read the parameter codes of the query; none where it does not speak of parameters.

    Raises:
        Invalid: one of them is no code.
    """
    found = [code for code in request.query_params.get("parameter", "").split(",") if code]
    for code in found:
        if not CODE.fullmatch(code):
            raise Invalid(f"{code[:80]!r} is not a parameter code", pointer="?parameter")
    return found


def ids_and_keys(text: str, pointer: str, *, most: int = 100) -> tuple[list[int], list[str]]:
    """Split a list of at most ``most`` ids and keys."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not 1 <= len(parts) <= most:
        raise Invalid(f"1 to {most} ids or keys are expected, separated by commas", pointer=pointer)
    ids = [int(part) for part in parts if part.isascii() and part.isdigit() and len(part) < 20]  # noqa: PLR2004
    return [pk for pk in ids if pk <= BIGGEST_ID], [part for part in parts if not (part.isascii() and part.isdigit())]


def _span(request: Request) -> Span:
    return moment(request, "from", FOREVER[0]), moment(request, "to", FOREVER[1])


def _assets(request: Request, name: str) -> Any:
    access: Any = request.auth
    rows = Asset.objects.visible_to(access).filter(kind=name)
    query = request.query_params
    if name in query:
        ids, keys = ids_and_keys(query[name], f"?{name}")
        rows = rows.filter(pk__in=ids) | rows.filter(key__in=keys)
    if "site" in query:
        rows = rows.filter(site=whole_number(request, "site", default=1, highest=BIGGEST_ID))
    if "type" in query:
        rows = rows.filter(type__slug=query["type"][:64])
    return rows


def _cursor(text: str | None) -> tuple[str, Place | None]:
    if text is None:
        return "older", None
    try:
        direction, time, asset = base64.urlsafe_b64decode(text.encode()).decode().split(":")
        place = Place(int(time), int(asset))
        if direction in {"older", "newer"} and abs(place.time) < 2**63 and abs(place.asset) <= BIGGEST_ID:
            return direction, place
    except (ValueError, binascii.Error):
        pass
    raise Invalid("the cursor is not one that this list gave out", pointer="?cursor")


def _url(request: Request, direction: str, row: Found) -> str:
    cursor = base64.urlsafe_b64encode(f"{direction}:{row.time}:{row.asset}".encode()).decode()
    query = request.query_params.copy()
    query["cursor"] = cursor
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
