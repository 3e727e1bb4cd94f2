"""Doors for what engineers changed: earlier values of a reading, and the quality of stretches."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, cast

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from techtrack.accounts.domain.access import Role
from techtrack.assets.models import Asset
from techtrack.core import clock
from techtrack.core.api.fields import refuse_unknown_fields
from techtrack.core.api.filters import moment, refuse_unknown_parameters
from techtrack.core.api.pagination import Pages
from techtrack.core.clock import from_micros, isoformat, to_micros
from techtrack.core.errors import Invalid, NotFound
from techtrack.telemetry import queries, services
from techtrack.telemetry.api import serializers
from techtrack.telemetry.api.listing import codes
from techtrack.telemetry.domain.items import BIGGEST_ID
from techtrack.telemetry.domain.quality import Quality
from techtrack.telemetry.domain.reading import FOREVER
from techtrack.telemetry.models import Correction, QualityMark

ID = re.compile(r"(\d{1,19})-(-?\d{1,18})")
PAGES = {"page", "page_size"}
NAMES = ("asset", "equipment", "sensor")


def place(text: str) -> tuple[int, int]:
    """Read an id ``{asset}-{number}``.

    Raises:
        NotFound: nothing has such an id.
    """
    match = ID.fullmatch(text)
    if match is None or int(match[1]) > BIGGEST_ID:
        raise NotFound("there is no such reading")
    return int(match[1]), int(match[2])


def visible_asset(request: Request, ref: int | str, *, kind: str | None = None) -> Asset:
    """Return an asset by id or key.

    Raises:
        NotFound: it does not exist, or the caller may not see it.
    """
    access: Any = request.auth
    if isinstance(ref, str) and ref.isascii() and ref.isdigit():
        ref = int(ref[:20])
    by: dict[str, Any] = {"pk": min(ref, BIGGEST_ID)} if isinstance(ref, int) else {"key": ref}
    found: Asset | None = Asset.objects.visible_to(access).filter(**by, **({"kind": kind} if kind else {})).first()
    if found is None:
        raise NotFound("there is no such asset")
    return found


class CorrectionViewSet(ViewSet):
    """What a reading said before people changed it, newest first; also of a reading that was removed."""

    asset_kind: ClassVar[str]
    pagination_class = Pages

    def list(self, request: Request, reading: str) -> Response:
        refuse_unknown_parameters(request, PAGES)
        access: Any = request.auth
        asset_id, time = place(reading)
        asset = visible_asset(request, asset_id, kind=self.asset_kind)
        access.require(Role.ENGINEER, asset.site_id)
        return _paged(request, queries.corrections(asset_id=asset.pk, time=time), correction_as_json)


class MarkViewSet(ViewSet):
    """What is said of the quality of stretches, by tests and by engineers: an engineer's last word counts."""

    pagination_class = Pages

    def list(self, request: Request) -> Response:
        refuse_unknown_parameters(request, {*NAMES, "parameter", "from", "to"} | PAGES)
        asked = [name for name in NAMES if name in request.query_params]
        if len(asked) != 1:
            raise Invalid(f"one of {', '.join(NAMES)} is expected", pointer="?asset")
        asset = _named(request, asked[0], request.query_params[asked[0]], pointer=f"?{asked[0]}")
        code = codes(request)
        if len(code) > 1:
            raise Invalid("one parameter is expected, or none", pointer="?parameter")
        start, end = moment(request, "from", FOREVER[0]), moment(request, "to", FOREVER[1])
        rows = queries.marks(asset_id=asset.pk, code="".join(code), start=start, end=end)
        return _paged(request, rows, mark_as_json)

    def create(self, request: Request) -> Response:
        """Mark a stretch; saying again what is said already changes nothing and answers 200."""
        refuse_unknown_parameters(request, ())
        body = serializers.MarkSerializer(data=request.data)
        refuse_unknown_fields(request.data, body)
        body.is_valid(raise_exception=True)
        data, access = body.validated_data, cast("Any", request.auth)
        [name] = [name for name in NAMES if name in data]
        said = services.Saying(
            code=data.get("parameter") or None,
            span=(to_micros(data["from"]), to_micros(data["to"])),
            quality=Quality[data["quality"].upper()],
            reason=data["reason"],
        )
        asset = _named(request, name, data[name], pointer=f"/{name}")
        mark, is_new = services.mark_quality(asset=asset, said=said, by=access, now=clock.now())
        told = mark_as_json(mark, queries.names_of([mark.by_id]))
        response = Response(told, status=201 if is_new else 200)
        response["Location"] = request.build_absolute_uri(f"{request.path.rstrip('/')}/{told['id']}/")
        return response

    def retrieve(self, request: Request, mark: str) -> Response:
        refuse_unknown_parameters(request, ())
        asset_id, position = place(mark)
        asset = visible_asset(request, asset_id)
        found = queries.marks(asset_id=asset.pk, start=FOREVER[0], end=FOREVER[1]).filter(position=position).first()
        if found is None:
            raise NotFound("there is no such mark")
        return Response(mark_as_json(found, queries.names_of([found.by_id])))


def correction_as_json(row: Correction, names: Mapping[int, str]) -> dict[str, Any]:
    """Write a correction."""
    return {
        "id": f"{row.asset_id}-{row.position}",
        "before": row.before,
        "after": row.after,
        "by": row.by_id,
        "by_name": names.get(row.by_id or 0),
        "at": isoformat(row.created_at),
    }


def mark_as_json(row: QualityMark, names: Mapping[int, str]) -> dict[str, Any]:
    """Write a mark."""
    return {
        "id": f"{row.asset_id}-{row.position}",
        "asset": row.asset_id,
        "parameter": row.code or None,
        "from": isoformat(from_micros(row.start_at)),
        "to": isoformat(from_micros(row.end_at)),
        "quality": Quality(row.quality).name.lower(),
        "flag": row.flag or None,
        "reason": row.reason,
        "by": row.by_id,
        "by_name": names.get(row.by_id or 0),
        "at": isoformat(row.created_at),
    }


def _paged(request: Request, rows: QuerySet, as_json: Callable[[Any, Mapping[int, str]], dict[str, Any]]) -> Response:
    pages = Pages()
    page = pages.paginate_queryset(rows, request) or []
    names = queries.names_of(row.by_id for row in page)
    return pages.get_paginated_response([as_json(row, names) for row in page])


def _named(request: Request, name: str, ref: Any, *, pointer: str) -> Asset:
    if isinstance(ref, bool) or not isinstance(ref, (int, str)) or ref == "":
        raise Invalid("an id or a key is expected", pointer=pointer)
    return visible_asset(request, ref, kind=None if name == "asset" else name)


def corrections_of(plural: str, kind: str) -> type[CorrectionViewSet]:
    """Make the view of corrections under one of the two names of readings."""
    reading = OpenApiParameter("reading", OpenApiTypes.STR, "path", description="`{asset}-{µs since 1970}`")
    described = extend_schema(
        operation_id=f"{plural}_corrections",
        parameters=[reading],
        responses=serializers.CorrectionSerializer(many=True),
        tags=["readings"],
    )
    made = type("CorrectionViewSet", (CorrectionViewSet,), {"asset_kind": kind, "__doc__": CorrectionViewSet.__doc__})
    return extend_schema_view(list=described)(made)


def marks_of(plural: str) -> type[MarkViewSet]:
    """Make the view of marks under one of the two names of readings."""
    query = [OpenApiParameter(name, OpenApiTypes.STR, description="an id or a key; one of the three") for name in NAMES]
    query.append(OpenApiParameter("parameter", OpenApiTypes.STR, description="marks that mean it"))
    query += [
        OpenApiParameter(name, OpenApiTypes.DATETIME, description="of what they touch") for name in ("from", "to")
    ]
    mark = OpenApiParameter("mark", OpenApiTypes.STR, "path", description="`{asset}-{position}`")
    one = serializers.MarkSerializer
    made = type("MarkViewSet", (MarkViewSet,), {"__doc__": MarkViewSet.__doc__})
    described = {
        "list": extend_schema(
            operation_id=f"{plural}_quality_list", parameters=query, responses=one(many=True), tags=["readings"]
        ),
        "create": extend_schema(
            operation_id=f"{plural}_quality_mark", request=one, responses={201: one, 200: one}, tags=["readings"]
        ),
        "retrieve": extend_schema(
            operation_id=f"{plural}_quality_retrieve", parameters=[mark], responses=one, tags=["readings"]
        ),
    }
    return extend_schema_view(**described)(made)


DataCorrections, MeasurementCorrections = corrections_of("data", "equipment"), corrections_of("measurements", "sensor")
DataMarks, MeasurementMarks = marks_of("data"), marks_of("measurements")
