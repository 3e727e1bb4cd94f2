"""Filters, ordering and search of lists; a query parameter that nobody reads is an error."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import F, OrderBy, QuerySet
from django.http import QueryDict
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework.filters import OrderingFilter, SearchFilter
from rest_framework.request import Request

from techtrack.core.api.fields import EARLIEST, LATEST
from techtrack.core.clock import to_micros
from techtrack.core.errors import Fault, Invalid

LONGEST_SEARCH = 200
MOST_TERMS = 10
BIGGEST_ID = 2**63 - 1


class UnknownParameter(Invalid):
    """A query parameter that this endpoint does not have."""

    code = "unknown_parameter"


def refuse_unknown_parameters(request: Request, known: Iterable[str]) -> None:
    """Raise UnknownParameter for the first query parameter that is not in ``known``."""
    refuse_unknown(request.query_params, set(known))


def refuse_unknown(parameters: QueryDict, known: AbstractSet[str]) -> None:
    """The same for parameters that are not of a DRF request."""
    for name, values in parameters.lists():
        pointer = f"?{name}".encode("utf-8", "replace").decode()
        if name not in known:
            detail = f"unknown query parameter {pointer[1:]!r}; known here: {', '.join(sorted(known)) or 'none'}"
            raise UnknownParameter(detail, faults=[Fault(pointer, "unknown_parameter", detail)])
        if len(values) > 1:
            raise Invalid("give a parameter once", pointer=pointer)
        if any("\x00" in value or not _encodable(value) for value in values):
            raise Invalid("text contains NUL or a lone surrogate", pointer=pointer)


def moment(request: Request, name: str, default: int) -> int:
    """Read a time of the query as µs.

    Raises:
        Invalid: it is not a time with an offset, from 2000 to 2099.
    """
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        # A plus sign that was not escaped arrives as a space.
        found = datetime.fromisoformat(text.replace(" ", "+") if text.count(":") > 2 else text)  # noqa: PLR2004
        if found.tzinfo is not None and EARLIEST <= found < LATEST:
            return to_micros(found)
    except (ValueError, OverflowError):
        pass
    raise Invalid(f"{name} is a time with an offset, such as 2026-11-21T10:00:00Z", pointer=f"?{name}")


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class Search(SearchFilter):
    """``search`` bounded in length and terms, so that no list builds a query as long as a novel."""

    def get_search_terms(self, request: Request) -> list[str]:
        text = request.query_params.get(self.search_param, "")
        if len(text) > LONGEST_SEARCH or len(text.split()) > MOST_TERMS:
            raise Invalid(f"search takes {LONGEST_SEARCH} characters and {MOST_TERMS} words at most", pointer="?search")
        return super().get_search_terms(request)

    def get_schema_operation_parameters(self, view: Any) -> Any:
        return super().get_schema_operation_parameters(view) if getattr(view, "search_fields", None) else []


class Ordering(OrderingFilter):
    """``ordering`` by the fields a view names; another field is an error that lists them."""

    def get_ordering(self, request: Request, queryset: QuerySet, view: Any) -> Any:
        asked = [term.strip() for term in request.query_params.get(self.ordering_param, "").split(",") if term.strip()]
        known = {name for name, _ in self.get_valid_fields(queryset, view, {"request": request})}
        for term in asked:
            if term.removeprefix("-") not in known:
                raise Invalid(f"cannot order by {term!r}; choose of {', '.join(sorted(known))}", pointer="?ordering")
        ordering = list(asked or super().get_ordering(request, queryset, view) or queryset.model._meta.ordering)
        # A total order, so that no row is shown on two pages or on none.
        return [*ordering, "-pk"] if not {"pk", "-pk", "id", "-id"} & set(ordering) else ordering

    def filter_queryset(self, request: Request, queryset: QuerySet, view: Any) -> QuerySet:
        return queryset.order_by(*(_term(queryset, text) for text in self.get_ordering(request, queryset, view)))


def _term(queryset: QuerySet, text: str) -> str | OrderBy:
    """Turn ``-name`` into a term that puts what has no value last, up and down; each database has its own habit."""
    name = text.removeprefix("-")
    columns = {"pk": queryset.model._meta.pk} | {field.name: field for field in queryset.model._meta.concrete_fields}
    if name in columns and not columns[name].null:
        # As plain as it is written, so that an index can serve it.
        return text
    return F(name).desc(nulls_last=True) if text.startswith("-") else F(name).asc(nulls_last=True)


class Filters(DjangoFilterBackend):
    """django-filter with problems for answers, each naming its query parameter."""

    def filter_queryset(self, request: Request, queryset: QuerySet, view: Any) -> QuerySet:
        known = self.get_filterset_class(view, queryset)
        if known is None or known.base_filters.keys().isdisjoint(request.query_params):
            return queryset
        filterset = self.get_filterset(request, queryset, view)
        faults = [
            Fault(
                f"?{name}", found[0].code or Invalid.code, f"{name}: {_expected(filterset.form.fields[name], found[0])}"
            )
            for name, found in filterset.errors.as_data().items()
        ]
        if faults:
            raise Invalid("; ".join(fault.detail for fault in faults[:3]), faults=faults)
        rows: QuerySet = filterset.qs
        return rows


def _expected(field: forms.Field, error: ValidationError) -> str:
    """Say what would have been right, in the words of the house."""
    if isinstance(field, forms.ChoiceField):
        choices: Any = field.choices
        return f"choose one of {', '.join(str(value) for value, _ in choices if value)}"
    if isinstance(field, forms.DecimalField):
        return f"a {'whole number, not negative,' if field.decimal_places == 0 else 'number'} is expected"
    if isinstance(field, forms.DateTimeField) and error.code == "invalid":
        return "a time such as 2026-11-21T10:00:00Z is expected"
    return " ".join(error.messages)


class MomentFilter(django_filters.IsoDateTimeFilter):
    """A time inside what every database can hold."""

    class _Field(django_filters.fields.IsoDateTimeField):
        def clean(self, value: Any) -> Any:
            try:
                moment = super().clean(value)
                inside = moment is None or EARLIEST <= moment < LATEST
            except (OverflowError, ValueError) as error:
                raise forms.ValidationError("A time from 2000-01-01 to 2099-12-31 is expected.") from error
            if not inside:
                raise forms.ValidationError("A time from 2000-01-01 to 2099-12-31 is expected.")
            return moment

    field_class = _Field


@extend_schema_field(OpenApiTypes.INT64)
class IdFilter(django_filters.NumberFilter):
    """A whole number that fits a database id."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, min_value=0, max_value=BIGGEST_ID, decimal_places=0, max_digits=19, **kwargs)


@extend_schema_field(OpenApiTypes.BOOL)
class FlagFilter(django_filters.TypedChoiceFilter):
    """``true`` or ``false``; the library's own filter takes any other word for no filter at all."""

    def __init__(self, **kwargs: Any) -> None:
        choices = [("true", "true"), ("false", "false")]
        super().__init__(choices=choices, coerce=lambda text: text == "true", **kwargs)


class FilterSet(django_filters.FilterSet):
    """A filter set of the house: fields are declared one by one, never generated from a model.

    None of them is required, none looks at another, and one that is not asked for narrows nothing.
    """

    base_filters: dict[str, django_filters.Filter]

    def __init__(self, data: QueryDict, *args: Any, **kwargs: Any) -> None:
        # Each request copies its filters and makes a form of them: of all that could be asked, it took a millisecond.
        self.base_filters = {name: known for name, known in self.base_filters.items() if name in data}
        super().__init__(data, *args, **kwargs)
