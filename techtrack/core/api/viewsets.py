"""The one shape of a resource: a list and an item whose methods each make one service call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from rest_framework import mixins
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer, ModelSerializer
from rest_framework.viewsets import GenericViewSet

from techtrack.core.api import concurrency, idempotency
from techtrack.core.api.fields import refuse_unknown_fields
from techtrack.core.api.filters import refuse_unknown_parameters
from techtrack.core.api.problems import with_current
from techtrack.core.by_id import ById
from techtrack.core.errors import Stale
from techtrack.core.models import Versioned

BIGGEST_ID = 2**63 - 1
MOST_STATEMENTS = 300
_statements: dict[tuple[type, str], ById] = {}


class StrictViewSet(GenericViewSet):
    """Refuses query parameters that nobody reads, and shows only what the caller may see.

    ``extra_parameters`` names parameters that the view reads itself, beside filters, pages, order and search.
    """

    # Its ``auth`` is the caller's Access, which DRF's types take for a token of its own.
    request: Any
    extra_parameters: ClassVar[frozenset[str]] = frozenset()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        refuse_unknown_parameters(request, self.known_parameters())

    def known_parameters(self) -> set[str]:
        """Every query parameter that the action in hand reads."""
        known = set(self.extra_parameters)
        if self.action == "list":
            filterset = getattr(self, "filterset_class", None)
            known |= set(filterset.base_filters) if filterset else set()
            known |= {"page", "page_size", "ordering"}
            known |= {"search"} if getattr(self, "search_fields", None) else set()
        return known

    def get_queryset(self) -> QuerySet:
        """The rows that the caller may see; the only way a view comes by a row."""
        queryset = super().get_queryset()
        return queryset.visible_to(self.request.auth)  # type: ignore[attr-defined, no-any-return]

    def filter_queryset(self, queryset: QuerySet) -> QuerySet:
        # Of an item the path says all: there is nothing to filter, to order or to search.
        return super().filter_queryset(queryset) if self.action == "list" else queryset

    def get_object(self) -> Any:
        if self.lookup_field != "pk":
            return super().get_object()
        key = str(self.kwargs["pk"])
        # An id beyond bigint is simply not there; the databases would disagree how to say so.
        plain = key.isascii() and key.isdigit() and len(key) <= len(str(BIGGEST_ID)) and int(key) <= BIGGEST_ID
        found = self.row(int(key)) if plain else None
        if found is None:
            raise Http404
        self.check_object_permissions(self.request, found)
        return found

    def row(self, pk: int) -> Any:
        """Return the row with this id, None where there is none that the caller may see."""
        # What a caller may see follows from its access alone, so that the statement can be made once for it.
        name = type(self), repr(self.request.auth)
        rows = _statements.get(name)
        if rows is None:
            if len(_statements) >= MOST_STATEMENTS:
                _statements.clear()
            rows = _statements[name] = ById(self.get_queryset())
        return rows.find(pk)


class ResourceViewSet(
    mixins.CreateModelMixin,
    mixins.RetrieveModelMixin,
    mixins.ListModelMixin,
    StrictViewSet,
):
    """GET and POST on the list; GET, PUT, PATCH and DELETE on an item.

    A subclass says how to ``add``, ``edit`` and ``drop``, each by one service call. One that ``merges`` is told by
    PATCH which version the caller has read, instead of the one that the row must still have.
    """

    http_method_names = ["get", "post", "put", "patch", "delete", "head", "options"]
    merges: ClassVar[bool] = False

    def add(self, data: dict[str, Any]) -> Versioned:
        """Create one from validated ``data``."""
        raise NotImplementedError

    def edit(self, instance: Any, data: dict[str, Any], expected: int | None) -> Versioned:
        """Write ``data`` to ``instance`` if it still has the ``expected`` version."""
        raise NotImplementedError

    def drop(self, instance: Any, expected: int | None) -> None:
        """Delete ``instance`` if it still has the ``expected`` version."""
        raise NotImplementedError

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response | HttpResponse:  # type: ignore[override]
        return self.once(request, lambda: self._create(request))

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        instance = self.get_object()
        return concurrency.tag_whole(Response(self.get_serializer(instance).data), instance)

    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response | HttpResponse:
        """Replace the whole item: what the body leaves out returns to its default."""
        return self.once(request, lambda: self._write(request, partial=False))

    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response | HttpResponse:
        """Merge the body into the item (RFC 7396)."""
        return self.once(request, lambda: self._write(request, partial=True))

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response | HttpResponse:
        return self.once(request, lambda: self._drop(request))

    def once(self, request: Request, work: Callable[[], Response]) -> Response | HttpResponse:
        """Do ``work``, unless it was done for the same Idempotency-Key."""
        return idempotency.once(request, work)

    def fresh(self, instance: Versioned) -> Any:
        """Return the representation of ``instance`` as a reader of the item would get it."""
        row = self.row(instance.pk)
        # Somebody may have written it since, or deleted it: the answer is what this request made.
        return self.get_serializer(row if row and row.version == instance.version else instance).data

    def located(self, instance: Any) -> int:
        """Return the id in the address of an item: its own, unless it goes by that of another thing."""
        return int(instance.pk)

    def make(self, body: Any) -> Versioned:
        """Create one from ``body`` as it came."""
        serializer = self.get_serializer(data=body)
        refuse_unknown_fields(body, serializer)
        serializer.is_valid(raise_exception=True)
        return self.add(serializer.validated_data)

    def rewrite(self, instance: Any, body: Any, expected: int | None, *, partial: bool) -> Versioned:
        """Merge ``body`` as it came into ``instance``, or replace it, if it still has the ``expected`` version."""
        merged = self._merged(instance, body) if partial else body
        serializer = self.get_serializer(instance, data=merged, partial=partial)
        refuse_unknown_fields(body, serializer)
        serializer.is_valid(raise_exception=True)
        data = dict(serializer.validated_data)
        if not partial:
            data = _defaults(serializer) | data
        return self.edit(instance, data, expected)

    def _create(self, request: Request) -> Response:
        instance = self.make(request.data)
        response = Response(self.fresh(instance), status=201)
        response["Location"] = request.build_absolute_uri(f"{request.path.rstrip('/')}/{self.located(instance)}/")
        return concurrency.tag(response, instance)

    def _write(self, request: Request, *, partial: bool) -> Response:
        instance = self.get_object()
        read = concurrency.read_version if partial and self.merges else concurrency.expected_version
        expected = read(request, instance.version)
        changed = self._guarded(instance, lambda: self.rewrite(instance, request.data, expected, partial=partial))
        return concurrency.tag(Response(self.fresh(changed)), changed)

    def _drop(self, request: Request) -> Response:
        instance = self.get_object()
        expected = concurrency.expected_version(request, instance.version)
        self._guarded(instance, lambda: self.drop(instance, expected))
        return Response(status=204)

    def _merged(self, instance: Versioned, patch: Any) -> Any:
        """Complete the objects inside a PATCH with what is there; most patches hold none and cost nothing."""
        if not isinstance(patch, dict) or not any(isinstance(value, dict) for value in patch.values()):
            return patch
        current = self.get_serializer(instance).data
        return {name: merge_patch(current.get(name), value) for name, value in patch.items()}

    def _guarded(self, instance: Versioned, write: Callable[[], Any]) -> Any:
        try:
            return write()
        except Stale as error:
            current = self.row(instance.pk) or instance
            raise with_current(error, current.version, self.get_serializer(current).data) from error


class ReadOnlyViewSet(mixins.RetrieveModelMixin, mixins.ListModelMixin, StrictViewSet):
    """Rows that the platform itself writes."""


def merge_patch(target: Any, patch: Any) -> Any:
    """Return ``target`` after ``patch`` (RFC 7396): objects merge, null removes a member, all else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def _defaults(serializer: BaseSerializer) -> dict[str, Any]:
    """What PUT writes for the fields that its body left out: the model's defaults."""
    if not isinstance(serializer, ModelSerializer):
        return {}
    model: Any = serializer.Meta.model
    columns = {field.name: field for field in model._meta.concrete_fields}
    return {
        str(field.source): columns[field.source].get_default()
        for field in serializer.fields.values()
        if not field.read_only and not field.required and not field.write_only and field.source in columns
    }
