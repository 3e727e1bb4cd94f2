"""Doors for readings: /api/data/ and /api/measurements/ are two names for one door; /api/ingest/ is the fast one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from django.conf import settings
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    PolymorphicProxySerializer,
    extend_schema,
    extend_schema_serializer,
    extend_schema_view,
    inline_serializer,
)
from rest_framework import serializers as drf
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from techtrack.assets.models import Asset
from techtrack.core import clock
from techtrack.core.api.concurrency import is_demanded
from techtrack.core.api.downloads import ByFormat
from techtrack.core.api.filters import refuse_unknown_parameters
from techtrack.core.api.pagination import add_links
from techtrack.core.api.parsers import MergePatchParser, ReadingsParser
from techtrack.core.api.problems import with_current
from techtrack.core.errors import Fault, Invalid, NotFound, Stale
from techtrack.telemetry import queries, services
from techtrack.telemetry.api import listing, serializers
from techtrack.telemetry.api.corrections import place, visible_asset
from techtrack.telemetry.api.downloads import FILES, asked_form
from techtrack.telemetry.api.serializers import row_as_json
from techtrack.telemetry.domain.items import Item, check_values, is_time, read_item
from techtrack.telemetry.domain.reading import Kind, Row
from techtrack.telemetry.ingest.wire import receipt_as_json, skips
from techtrack.telemetry.queries import Found
from techtrack.telemetry.services import Receipt

T = TypeVar("T")
JUDGE = "judge"
ON_ERROR = OpenApiParameter(
    "on_error", enum=["skip"], description="Store the good readings of a batch, report the others."
)


def store_batch(request: Request, name: str, kind: str | None) -> tuple[Receipt, bool]:
    """Store a batch as ``on_error`` says; returns the receipt and whether faults were skipped."""
    skip = skips(request.query_params.get("on_error"))
    access: Any = request.auth
    now = clock.now()
    return services.ingest_document(data=request.data, name=name, kind=kind, by=access, now=now, skip=skip), skip


class IngestView(APIView):
    """The fast door for machines: a batch in, an answer once it is committed.

    One item for each reading, or columns: `{"asset": [7, 8], "timestamp": [...], "values": {"t": [71.3, null]}}`,
    where null is an absent value. 503 with `Retry-After` when too much waits to be committed.
    """

    # Under ASGI the gateway answers (ingest/gateway.py); it leaves to this view what is rare: other methods, cookies.

    door = "readings"
    parser_classes = [ReadingsParser]

    @extend_schema(
        operation_id="ingest",
        request=PolymorphicProxySerializer(
            "IngestBody", [serializers.IngestSerializer, serializers.IngestColumnsSerializer], None
        ),
        responses={200: serializers.IngestReceiptSerializer},
        parameters=[ON_ERROR],
        tags=["readings"],
    )
    def post(self, request: Request) -> Response:
        refuse_unknown_parameters(request, {"on_error"})
        receipt, skipped = store_batch(request, "asset", None)
        return Response(receipt_as_json(receipt.accepted, receipt.faults if skipped else None))


class ReadingViewSet(ViewSet):
    """Readings one by one or in batches; corrections by engineers."""

    parser_classes = [ReadingsParser, MergePatchParser]
    content_negotiation_class = ByFormat
    remembers_callers = True
    asset_kind: ClassVar[str]
    http_method_names = ["get", "post", "put", "patch", "delete", "head", "options"]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        known = {"list": listing.PARAMETERS | {self.asset_kind}, "create": {"on_error"}}.get(self.action or "", set())
        refuse_unknown_parameters(request, known)

    @property
    def door(self) -> str:
        """Of a key that only brings readings; what is stored it does not change."""
        return "readings" if self.action == "create" else "resources"

    def list(self, request: Request) -> Response | StreamingHttpResponse:
        form = asked_form(request)
        if form is not None:
            return listing.export(request, self.asset_kind, form)
        page = listing.read_page(request, self.asset_kind)
        response = Response(page.as_json())
        add_links(response, next_url=page.next_url, previous_url=page.previous_url)
        return response

    def create(self, request: Request) -> Response:
        if isinstance(request.data, list) or (isinstance(request.data, dict) and "items" in request.data):
            receipt, skipped = store_batch(request, self.asset_kind, self.asset_kind)
            self._await_judge(receipt.position)
            if skipped:
                return Response(receipt_as_json(receipt.accepted, receipt.faults))
            return Response({"accepted": receipt.accepted, "duplicates": receipt.duplicates}, status=201)
        item = read_item(request.data, names=(self.asset_kind,), now=clock.now(), pointer="")
        if isinstance(item, Fault):
            raise Invalid(item.detail, faults=[item])
        return self._created(request, item)

    def retrieve(self, request: Request, reading: str) -> Response:
        return self._one(self._found(request, reading)[1])

    def update(self, request: Request, reading: str) -> Response:
        """Replace the reading: a parameter left out becomes absent."""
        return self._corrected(request, reading, Kind.REPLACE)

    def partial_update(self, request: Request, reading: str) -> Response:
        """Merge values into the reading; null removes one."""
        return self._corrected(request, reading, Kind.PATCH)

    def destroy(self, request: Request, reading: str) -> Response:
        asset, row = self._found(request, reading)
        access: Any = request.auth
        expected = _if_match(request, row)
        self._guarded(
            row, lambda: services.remove(asset=asset, time=row.time, by=access, expected=expected, now=clock.now())
        )
        return Response(status=204)

    def _created(self, request: Request, item: Item) -> Response:
        access: Any = request.auth
        receipt = services.enter(item=item, by=access, now=clock.now(), kind=self.asset_kind)
        self._await_judge(receipt.position)
        asset = visible_asset(request, item.ref, kind=self.asset_kind)
        row = queries.reading(asset_id=asset.pk, time=item.time) or Found(asset.pk, item.time, item.values, {})
        response = self._one(row, status=201)
        response["Location"] = request.build_absolute_uri(f"{request.path.rstrip('/')}/{row.asset}-{row.time}/")
        return response

    def _corrected(self, request: Request, reading: str, kind: Kind) -> Response:
        asset, row = self._found(request, reading)
        values = check_values(request.data, names=(self.asset_kind, "timestamp", "id"), removals=kind is Kind.PATCH)
        _refuse_moving(request.data, asset, row)
        there = {code: math.nan if value is None else value for code, value in values.items()}
        wanted = Row(asset.pk, row.time, there)
        access: Any = request.auth
        expected, now = _if_match(request, row), clock.now()
        corrected = self._guarded(
            row,
            lambda: services.correct(asset=asset, row=wanted, kind=kind, by=access, expected=expected, now=now),
        )
        return self._one(corrected)

    def _guarded(self, row: Found, write: Callable[[], T]) -> T:
        try:
            return write()
        except Stale as error:
            current = queries.reading(asset_id=row.asset, time=row.time) or row
            raise with_current(error, services.tag(current), row_as_json(current, self.asset_kind)) from error

    def _one(self, row: Found, status: int = 200) -> Response:
        response = Response(row_as_json(row, self.asset_kind), status=status)
        response["ETag"] = f'"{services.tag(row)}"'
        return response

    def _found(self, request: Request, reading: str) -> tuple[Asset, Found]:
        asset_id, time = place(reading)
        asset = visible_asset(request, asset_id, kind=self.asset_kind)
        row = queries.reading(asset_id=asset.pk, time=time)
        if row is None:
            raise NotFound("there is no such reading")
        return asset, row

    def _await_judge(self, position: int) -> None:
        # A person who posts a reading sees the alert it raises at once.
        if position and settings.JUDGE_WAIT:
            services.wait_until_consumed(consumer=JUDGE, position=position, seconds=settings.JUDGE_WAIT)


def _refuse_moving(data: Any, asset: Asset, row: Found) -> None:
    """Refuse a body that names another asset or time than the address: those are what the reading is."""
    same: dict[str, Callable[[Any], bool]] = {
        "id": lambda said: said == f"{row.asset}-{row.time}",
        str(asset.kind): lambda said: said in [asset.pk, str(asset.pk), asset.key],
        "timestamp": lambda said: is_time(said, row.time),
    }
    for name, holds in same.items():
        if name in data and not holds(data[name]):
            raise Invalid("a reading keeps its asset and its time", pointer=f"/{name}")


def _if_match(request: Request, row: Found) -> str | None:
    now = services.tag(row)
    demanded = is_demanded(request, now)
    return None if demanded is None else now if demanded else "another"


def _described(name: str, serializer: type[drf.Serializer]) -> Any:
    """Document one of the two names of the door."""
    plural = {"equipment": "data", "sensor": "measurements"}[name]
    batch = inline_serializer(f"{serializer.__name__}Batch", {"items": serializer(many=True)})
    reading = OpenApiParameter("reading", OpenApiTypes.STR, "path", description="`{asset}-{µs since 1970}`")
    body = PolymorphicProxySerializer(f"{serializer.__name__}OrBatch", [serializer, batch], None)
    answer = PolymorphicProxySerializer(
        f"{serializer.__name__}Answer", [serializer, serializers.ReceiptSerializer], None
    )
    page: Any = inline_serializer(
        f"{serializer.__name__}Page",
        {
            "next": drf.URLField(allow_null=True),
            "previous": drf.URLField(allow_null=True),
            "results": serializer(many=True),
            "unreadable": serializers.UnreadableSerializer(many=True, required=False, help_text=serializers.UNREADABLE),
        },
    )
    # It is a page already: the document must not make a list of pages of it.
    extend_schema_serializer(many=False)(page)
    change = inline_serializer(f"{serializer.__name__}Change", {"values": serializers.ValuesField()})
    one: dict[str, Any] = {"parameters": [reading], "tags": ["readings"]}
    return extend_schema_view(
        list=extend_schema(
            operation_id=f"{plural}_list",
            responses={(200, "application/json"): page, **FILES},
            parameters=listing.described(name),
            tags=["readings"],
        ),
        create=extend_schema(
            operation_id=f"{plural}_create",
            request=body,
            responses={201: answer, 200: serializers.ReceiptSerializer},
            parameters=[ON_ERROR],
            tags=["readings"],
        ),
        retrieve=extend_schema(operation_id=f"{plural}_retrieve", responses=serializer, **one),
        update=extend_schema(operation_id=f"{plural}_update", request=change, responses=serializer, **one),
        partial_update=extend_schema(operation_id=f"{plural}_merge", request=change, responses=serializer, **one),
        destroy=extend_schema(operation_id=f"{plural}_destroy", responses={204: None}, **one),
    )


@_described("equipment", serializers.DataSerializer)
class DataViewSet(ReadingViewSet):
    """Readings of equipment."""

    asset_kind = "equipment"


@_described("sensor", serializers.MeasurementSerializer)
class MeasurementViewSet(ReadingViewSet):
    """Readings of sensors."""

    asset_kind = "sensor"
