"""The audit log, to read, to filter, to take along and to verify; for administrators."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import django_filters
from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from techtrack.accounts.api.schema import PersonSchema
from techtrack.accounts.domain.access import Role
from techtrack.accounts.models import AuditEntry
from techtrack.accounts.services import audit_proof
from techtrack.accounts.services.audit_reading import all_told, told
from techtrack.core.api.filters import Filters, FilterSet, IdFilter, moment, refuse_unknown_parameters
from techtrack.core.api.pagination import add_links, whole_number
from techtrack.core.api.viewsets import BIGGEST_ID, ReadOnlyViewSet
from techtrack.core.errors import Forbidden, Invalid
from techtrack.core.spreadsheets import harmless

FORMS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
PERIOD = {"from": 0, "to": 2**63 - 1}


class AuditEntrySerializer(serializers.Serializer):
    """Who did what, when and from where; ``position`` and ``hash`` are null until the entry is sealed."""

    id = serializers.IntegerField()
    position = serializers.IntegerField(allow_null=True, help_text="The place in the chain, from 1.")
    at = serializers.DateTimeField()
    actor = serializers.CharField(help_text="`user:7`, `key:3`, `anonymous` or `system`.")
    actor_name = serializers.CharField(allow_null=True, help_text="What it is called now; null if it is gone.")
    session = serializers.CharField(help_text="The id of the session; empty for a key, or the platform itself.")
    via = serializers.CharField(help_text="`api`, `pages`, `admin`, a command, or a job.")
    address = serializers.CharField()
    agent = serializers.CharField()
    request_id = serializers.CharField()
    action = serializers.CharField(help_text="Such as `rule.changed` or `login.failed`.")
    object_type = serializers.CharField()
    object_id = serializers.CharField()
    site = serializers.IntegerField(allow_null=True)
    before = serializers.JSONField(help_text="What differs, as it was.")
    after = serializers.JSONField(help_text="What differs, as it is since then.")
    hash = serializers.CharField(allow_null=True)


class VerdictSerializer(serializers.Serializer):
    """Whether the log is as it was written; where not, ``position`` and ``detail`` tell the first fault."""

    intact = serializers.BooleanField()
    entries = serializers.IntegerField(help_text="How many are kept and proven.")
    first = serializers.IntegerField()
    last = serializers.IntegerField()
    hash = serializers.CharField(help_text="The head of the chain.")
    noted = serializers.IntegerField(allow_null=True, help_text="The head noted outside the database, on this machine.")
    position = serializers.IntegerField(allow_null=True)
    detail = serializers.CharField()


class AuditFilter(FilterSet):
    """Entries by who, what, on what, where, and in which request."""

    actor = django_filters.CharFilter(max_length=64)
    action = django_filters.CharFilter(max_length=64)
    object_type = django_filters.CharFilter(max_length=64)
    object_id = django_filters.CharFilter(max_length=64)
    request_id = django_filters.CharFilter(max_length=64)
    site = IdFilter("site_id")


class AuditPages(CursorPagination):
    """Newest first, by a cursor: what is added meanwhile moves nothing."""

    ordering = "-id"
    page_size = 50
    max_page_size = 500
    page_size_query_param = "page_size"

    def get_page_size(self, request: Request) -> int:
        return whole_number(request, "page_size", default=self.page_size, highest=self.max_page_size)

    def decode_cursor(self, request: Request) -> Cursor | None:
        try:
            cursor = super().decode_cursor(request)
        except Exception as error:
            # REST framework's own 404, or whatever garbage made its reader stumble.
            raise Invalid("the cursor is not one of ours", pointer="?cursor") from error
        place = "0" if cursor is None or cursor.position is None else str(cursor.position)
        if not (place.isascii() and place.isdigit() and int(place[:20]) <= BIGGEST_ID):
            raise Invalid("the cursor is not one of ours", pointer="?cursor")
        return cursor

    def get_paginated_response(self, data: Any) -> Response:
        response = super().get_paginated_response(data)
        add_links(response, next_url=self.get_next_link(), previous_url=self.get_previous_link())
        return response


@extend_schema_view(
    list=extend_schema(
        operation_id="audit_list",
        parameters=[
            *(OpenApiParameter(name, OpenApiTypes.DATETIME) for name in PERIOD),
            OpenApiParameter("format", enum=list(FORMS), description="All that match, as a file instead of pages."),
        ],
        responses={
            (200, "application/json"): AuditEntrySerializer(many=True),
            **{(200, form.split(";")[0]): OpenApiTypes.STR for form in FORMS.values()},
        },
    ),
    retrieve=extend_schema(operation_id="audit_retrieve", responses=AuditEntrySerializer),
)
class AuditViewSet(ReadOnlyViewSet):
    """What was configured, who came and who was turned away; administrators of a site see what happened there."""

    door = "accounts"
    schema = PersonSchema()
    queryset = AuditEntry.objects.all()
    serializer_class = AuditEntrySerializer
    filterset_class = AuditFilter
    pagination_class = AuditPages
    # The order is that of the pages.
    filter_backends = (Filters,)
    extra_parameters = frozenset({"cursor", "format", *PERIOD})

    def known_parameters(self) -> set[str]:
        known = super().known_parameters() - {"page", "ordering"}
        return known if self.action == "list" else set()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if self.request.auth.sites(Role.ADMIN) == frozenset():
            raise Forbidden("the audit log is for administrators")

    def filter_queryset(self, queryset: QuerySet) -> QuerySet:
        queryset = super().filter_queryset(queryset)
        if self.action != "list":
            return queryset
        limits = {name: moment(self.request, name, default) for name, default in PERIOD.items()}
        return queryset.filter(at__gte=limits["from"], at__lt=limits["to"]) if self._dated() else queryset

    def list(  # type: ignore[override] # a file is no Response
        self, request: Request, *args: Any, **kwargs: Any
    ) -> Response | StreamingHttpResponse:
        entries = self.filter_queryset(self.get_queryset())
        if form := request.query_params.get("format"):
            return _file(entries, form)
        return self.get_paginated_response(told(self.paginate_queryset(entries) or []))

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return Response(told([self.get_object()])[0])

    def _dated(self) -> bool:
        return bool(PERIOD.keys() & self.request.query_params.keys())


class AuditVerifyView(APIView):
    """Whether the audit log is as it was written; for administrators for all sites."""

    door = "accounts"
    schema = PersonSchema()

    @extend_schema(operation_id="audit_verify", responses=OpenApiResponse(VerdictSerializer))
    def get(self, request: Request) -> Response:
        """Prove every entry against its hash, and the ends of the chain against what was noted of them."""
        refuse_unknown_parameters(request, ())
        request.auth.require(Role.ADMIN, None)  # type: ignore[union-attr]
        return Response(asdict(audit_proof.verify()))


def _file(entries: QuerySet, form: str) -> StreamingHttpResponse:
    if form not in FORMS:
        raise Invalid(f"choose one of {', '.join(FORMS)}", pointer="?format")
    lines = _csv(entries) if form == "csv" else _jsonl(entries)
    response = StreamingHttpResponse((line.encode() for line in lines), content_type=FORMS[form])
    response["Content-Disposition"] = f'attachment; filename="audit.{form}"'
    return response


def _jsonl(entries: QuerySet) -> Iterator[str]:
    return (f"{json.dumps(one, ensure_ascii=False)}\n" for one in all_told(entries))


def _csv(entries: QuerySet) -> Iterator[str]:
    columns = list(AuditEntrySerializer().fields)
    yield _line(columns)
    for one in all_told(entries):
        cells = [
            json.dumps(one[name], ensure_ascii=False) if name in {"before", "after"} else one[name] for name in columns
        ]
        yield _line([harmless(cell) if isinstance(cell, str) else cell for cell in cells])


def _line(cells: Sequence[Any]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()
