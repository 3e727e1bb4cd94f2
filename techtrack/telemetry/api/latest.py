"""Doors for what is: the newest values of one asset or of many."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import repeat
from typing import Any

import msgspec
import numpy as np
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers as drf
from rest_framework.request import Request
from rest_framework.views import APIView

from techtrack.assets.models import Asset
from techtrack.core.api.filters import BIGGEST_ID, refuse_unknown_parameters
from techtrack.core.api.pagination import whole_number
from techtrack.core.errors import NotFound
from techtrack.telemetry import queries
from techtrack.telemetry.api.corrections import visible_asset
from techtrack.telemetry.api.listing import codes, ids_and_keys
from techtrack.telemetry.api.recalling import recalled
from techtrack.telemetry.domain.moments import rfc3339
from techtrack.telemetry.domain.reading import FOREVER, Floats, Ints
from techtrack.telemetry.queries import TooMuch

MOST_ASSETS = 5_000
MOST_NAMED = 1_000
NEVER = FOREVER[0]


NEWEST = inline_serializer(
    "NewestValue", {"timestamp": drf.DateTimeField(), "value": drf.FloatField(), "unit": drf.CharField()}
)
ANSWER = inline_serializer(
    "LatestValues", {"asset": drf.IntegerField(), "values": drf.DictField(child=NEWEST, help_text="by parameter code")}
)
QUERY = [
    OpenApiParameter("asset", OpenApiTypes.STR, description=f"at most {MOST_NAMED} ids or keys, separated by commas"),
    OpenApiParameter("site", OpenApiTypes.INT64, description="a site's id"),
    OpenApiParameter("type", OpenApiTypes.STR, description="a type's slug"),
    OpenApiParameter("parameter", OpenApiTypes.STR, description="codes, separated by commas; all if left out"),
]


class LatestView(APIView):
    """The newest values of many assets in one answer, by id of the asset; of one that never reported there are none.

    A value is the one with the newest event time, whatever its quality.
    """

    remembers_callers = direct = True

    @extend_schema(
        operation_id="latest",
        parameters=QUERY,
        responses=inline_serializer("LatestOfMany", {"results": drf.ListField(child=ANSWER)}),
        tags=["readings"],
    )
    def get(self, request: Request) -> HttpResponse:
        refuse_unknown_parameters(request, {"asset", "site", "type", "parameter"})
        chosen = tuple(request.query_params.get(name) for name in ("asset", "site", "type"))
        types = recalled(request, ("types", *chosen), lambda: _types(request))
        return _json(f'{{"results":[{",".join(_written(request, types, set(codes(request))))}]}}')


def asset_latest(kind: str) -> Callable[..., HttpResponse]:
    """Make the door for the newest values of equipment or a sensor."""

    class AssetLatestView(APIView):
        """The newest value of each parameter."""

        remembers_callers = direct = True

        @extend_schema(operation_id=f"{kind}_latest", responses=ANSWER, tags=["readings"])
        def get(self, request: Request, pk: int) -> HttpResponse:
            refuse_unknown_parameters(request, ())
            asset = recalled(request, ("asset", kind, pk), lambda: visible_asset(request, pk, kind=kind))
            return _json(_written(request, {asset.pk: asset.type_id}, ())[0])

    return AssetLatestView.as_view()


def _types(request: Request) -> dict[int, int | None]:
    """Return the types of the assets that are asked for, by ascending id."""
    types = dict(_assets(request).order_by("pk").values_list("pk", "type_id")[: MOST_ASSETS + 1])
    if len(types) > MOST_ASSETS:
        raise TooMuch(f"those are more than {MOST_ASSETS} assets; ask by site, type or asset", pointer="?asset")
    return types


def _assets(request: Request) -> Any:
    access: Any = request.auth
    rows, query = Asset.objects.visible_to(access), request.query_params
    if "asset" in query:
        ids, keys = ids_and_keys(query["asset"], "?asset", most=MOST_NAMED)
        rows = rows.filter(pk__in=ids) | rows.filter(key__in=keys) if keys else rows.filter(pk__in=ids)
        if not {*ids, *keys} <= {name for pair in rows.values_list("pk", "key") for name in pair}:
            raise NotFound("one of the assets does not exist, or you may not see it")
    if "site" in query:
        rows = rows.filter(site=whole_number(request, "site", default=1, highest=BIGGEST_ID))
    if "type" in query:
        rows = rows.filter(type__slug=query["type"][:64])
    return rows


def _written(request: Request, types: Mapping[int, int | None], wanted: Collection[str]) -> list[str]:
    """Write as JSON the newest values of assets, given by ascending id with their types; of ``wanted`` codes or all."""
    if not types:
        return []
    newest = queries.newest(types)
    codes = sorted(code for code in newest.columns if not wanted or code in wanted)
    kinds = frozenset(types.values())
    units = recalled(request, ("units", kinds, *codes), lambda: queries.units_of_types(kinds, codes))
    cells = [_cells(code, *newest.columns[code], types.values(), units) for code in codes]
    rows: Iterable[tuple[str, ...]] = zip(*cells, strict=True) if cells else repeat((), len(types))
    told = [",".join(filter(None, row)) for row in rows]
    return [f'{{"asset":{asset},"values":{{{values}}}}}' for asset, values in zip(types, told, strict=True)]


def _cells(
    code: str,
    times: Ints,
    values: Floats,
    types: Iterable[int | None],
    units: Mapping[tuple[int | None, str], str],
) -> list[str]:
    """Write one parameter of each asset as a member of its values; empty where there is none."""
    # Put together from text: an object for each of thousands of values would cost more than all the rest.
    there = times != NEVER
    start = f'"{code}":{{"timestamp":"'
    ends = {kind: f',"unit":{msgspec.json.encode(units[kind, code]).decode()}}}' for kind in set(types)}
    numbers = msgspec.json.encode(values.tolist())[1:-1].decode().split(",")
    known = np.where(there, times, 0)
    same = bool((known == known[:1]).all())
    stamps = rfc3339(known[:1]) * len(known) if same else rfc3339(known)
    written = [
        f'{start}{stamp}","value":{number}{ends[kind]}'
        for stamp, number, kind in zip(stamps, numbers, types, strict=True)
    ]
    return (
        written
        if there.all()
        else [cell if is_there else "" for cell, is_there in zip(written, there.tolist(), strict=True)]
    )


def _json(body: str) -> HttpResponse:
    # Of this second: by the next question it is another.
    return HttpResponse(body.encode(), content_type="application/json", headers={"Cache-Control": "private, no-store"})
