"""Filters of the list of tasks that people keep under a name, and their use."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Any

from django.http import QueryDict
from drf_spectacular.utils import OpenApiParameter

from techtrack.core import clock
from techtrack.core.api.fields import ObjectField, ResourceSerializer
from techtrack.core.api.filters import BIGGEST_ID, refuse_unknown
from techtrack.core.api.viewsets import ResourceViewSet
from techtrack.core.errors import Fault, Invalid
from techtrack.tasks import services
from techtrack.tasks.api.filters import ORDERED, TaskFilter
from techtrack.tasks.domain.filters import parse_filter
from techtrack.tasks.models import SavedFilter, Task

NAME = "filter"
PARAMETER = OpenApiParameter(NAME, int, description="A saved filter of yours; what else is asked for goes before it.")
KEPT = {*TaskFilter.base_filters, "ordering", "search"}


def apply(request: Any, known: AbstractSet[str]) -> None:
    """Complete the parameters of a list with those of the saved filter that it names.

    Raises:
        Invalid: the caller has none of this id.
        UnknownParameter: it names what the list does not know any more.
    """
    text = request.query_params.get(NAME)
    if text is None:
        return
    number = int(text) if text.isascii() and text.isdigit() and len(text) < len(str(BIGGEST_ID)) else 0
    found = SavedFilter.objects.visible_to(request.auth).filter(pk=number).first()
    if found is None:
        raise Invalid("you have no such filter", pointer=f"?{NAME}")
    merged = QueryDict(mutable=True)
    for name, value in {**found.query, **request.query_params.dict()}.items():
        merged[name] = value
    refuse_unknown(merged, known)
    request._request.GET = merged  # noqa: SLF001 - DRF offers no public way


def check(query: dict[str, str]) -> None:
    """Pass for parameters that the list would take.

    Raises:
        Invalid: with a pointer to each value that it would not.
    """
    asked = QueryDict(mutable=True)
    asked.update(query)
    errors = TaskFilter(asked, Task.objects.none()).errors.as_data()
    faults = [
        Fault(f"/query/{name}", found[0].code or Invalid.code, " ".join(found[0].messages))
        for name, found in errors.items()
    ]
    terms = [term.strip().removeprefix("-") for term in query.get("ordering", "").split(",") if term.strip()]
    if unknown := [term for term in terms if term not in ORDERED]:
        told = f"cannot order by {unknown[0]!r}; choose of {', '.join(sorted(ORDERED))}"
        faults.append(Fault("/query/ordering", Invalid.code, told))
    if faults:
        raise Invalid(faults[0].detail, faults=faults)


class SavedFilterSerializer(ResourceSerializer[SavedFilter]):
    """Parameters of the list of tasks under a name: `{"state": "open", "ordering": "due_date"}`."""

    query = ObjectField(help_text="As in the address of the list, all values texts.")

    class Meta:
        model = SavedFilter
        fields = ["id", "name", "query", "version", "created_at", "updated_at"]
        read_only_fields = ["version", "created_at", "updated_at"]

    def validate_query(self, raw: dict[str, Any]) -> dict[str, str]:
        """Read it as strictly as the list would."""
        query = parse_filter(raw, allowed=KEPT)
        check(query)
        return query


class SavedFilterViewSet(ResourceViewSet):
    """The caller's own filters of the list of tasks: use one with `/api/tasks/?filter={id}`."""

    queryset = SavedFilter.objects.all()
    serializer_class = SavedFilterSerializer
    ordering_fields = ["name", "created_at", "updated_at"]
    ordering = ["name", "id"]
    search_fields = ["name"]

    def add(self, data: dict[str, Any]) -> SavedFilter:
        return services.create_filter(by=self.request.auth, data=data, now=clock.now())

    def edit(self, instance: SavedFilter, data: dict[str, Any], expected: int | None) -> SavedFilter:
        return services.update_filter(
            saved=instance, by=self.request.auth, changes=data, expected=expected, now=clock.now()
        )

    def drop(self, instance: SavedFilter, expected: int | None) -> None:
        services.delete_filter(saved=instance, by=self.request.auth, expected=expected)
