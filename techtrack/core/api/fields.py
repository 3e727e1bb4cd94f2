"""Serializer fields of the contract: bounded UTC times, ISO 8601 durations, finite numbers, visible references."""

from __future__ import annotations

import sys
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, NoReturn, TypeVar

from django.db.models import Model, QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from techtrack.core.clock import iso_duration, read_duration
from techtrack.core.errors import Fault, Invalid

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)


class MomentField(serializers.DateTimeField):
    """An RFC 3339 time in [2000, 2100): years that every database and every time zone can hold."""

    default_error_messages = {
        "invalid": "A time such as 2026-11-21T10:00:00Z is expected.",
        "date": "A time such as 2026-11-21T10:00:00Z is expected, not a day alone.",
        "overflow": "A time from 2000-01-01 to 2099-12-31 is expected.",
        "bounds": "A time from 2000-01-01 to 2099-12-31 is expected.",
    }

    def to_internal_value(self, value: Any) -> datetime:
        moment = super().to_internal_value(value)
        try:
            inside = EARLIEST <= moment < LATEST
        except OverflowError:
            inside = False
        if not inside:
            self.fail("bounds")
        return moment.astimezone(UTC)

    def enforce_timezone(self, value: datetime) -> datetime:
        try:
            return super().enforce_timezone(value)
        except OverflowError:
            self.fail("bounds")


@extend_schema_field({"type": "string", "format": "duration", "examples": ["PT5M"]})
class IsoDurationField(serializers.DurationField):
    """An ISO 8601 duration such as ``PT5M``, from zero to ``longest``."""

    default_error_messages = {
        "invalid": "An ISO 8601 duration such as PT5M is expected.",
        "bounds": "A duration from zero to {longest} is expected.",
    }

    def __init__(self, *, longest: timedelta = timedelta(days=3660), **kwargs: Any) -> None:
        self.longest = longest
        super().__init__(**kwargs)

    def to_internal_value(self, value: Any) -> timedelta:
        duration = read_duration(value) if isinstance(value, str) else None
        if duration is None:
            self.fail("invalid")
        if not timedelta(0) <= duration <= self.longest:
            self.fail("bounds", longest=iso_duration(self.longest))
        return duration

    def to_representation(self, value: timedelta) -> str:
        return iso_duration(value)


class ChoiceField(serializers.ChoiceField):
    """One of several words; the refusal lists them."""

    default_error_messages = {"invalid_choice": "Choose one of {choices}."}

    def fail(self, key: str, **kwargs: Any) -> NoReturn:
        super().fail(key, choices=", ".join(map(str, self.choices)), **kwargs)


CODE = r"^[a-z][a-z0-9_]{0,63}\Z"


class CodeField(serializers.RegexField):
    """The code of a parameter."""

    default_error_messages = {
        "invalid": "A code such as spindle_temperature is expected: a small letter, then at most 63 small letters, "
        "digits and underscores."
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(CODE, **kwargs)


@extend_schema_field(OpenApiTypes.OBJECT)
class ObjectField(serializers.JSONField):
    """A JSON object, and not any other JSON value."""

    default_error_messages = {"object": "An object is expected."}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        value = super().to_internal_value(data)
        if not isinstance(value, dict):
            self.fail("object")
        return value


class NumberField(serializers.FloatField):
    """A finite JSON number from ``lowest`` to ``highest``; a text that looks like one is refused."""

    default_error_messages = {
        "invalid": "A number is expected.",
        "finite": "A number that fits 64 bits is expected.",
    }

    def __init__(self, *, lowest: float | None = None, highest: float | None = None, **kwargs: Any) -> None:
        super().__init__(min_value=lowest, max_value=highest, **kwargs)

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, (int, float)):
            self.fail("invalid")
        # Compared before it becomes a float: an integer may be larger than any.
        if not abs(data) <= sys.float_info.max:
            self.fail("finite")
        return float(data)


@extend_schema_field(OpenApiTypes.INT64)
class VisibleField(serializers.PrimaryKeyRelatedField):
    """The id of a row that the caller may see, or that the thing being edited names already.

    Any other one does not exist. What is named already stays acceptable, so that a client can send back what
    it was given although its rights there are gone.
    """

    default_error_messages = {
        "incorrect_type": "An id is expected: a whole number.",
        "does_not_exist": "There is nothing with the id {pk_value} that you may name here.",
    }

    def to_internal_value(self, data: Any) -> Any:
        # The generic field would take 7.9 and "7" for 7.
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("incorrect_type", data_type=type(data).__name__)
        return super().to_internal_value(data)

    def get_queryset(self) -> QuerySet:
        rows: Any = super().get_queryset()
        visible: QuerySet = rows.visible_to(self.context["request"].auth)
        thing = getattr(self.parent, "instance", None)
        held = thing.serializable_value(str(self.source)) if isinstance(thing, Model) else None
        return visible if held is None else visible | rows.filter(pk=held)


M = TypeVar("M", bound=Model)


class ResourceSerializer(serializers.ModelSerializer[M]):
    """What a model looks like on the wire; which fields it has is thought out once, and copied for each request."""

    prototypes: ClassVar[dict[str, Any]]

    def get_fields(self) -> dict[str, Any]:
        kind = type(self)
        # Not inherited: a subclass may have other fields.
        if "prototypes" not in vars(kind):
            kind.prototypes = super().get_fields()
        return deepcopy(kind.prototypes)


class WholeSerializer(serializers.Serializer):
    """An object inside a resource: complete or an error, also in a PATCH, whose serializers let fields out.

    One with the source ``*`` speaks of the resource itself, and so has its ``instance``.
    """

    def run_validation(self, data: Any = serializers.empty) -> Any:
        if self.parent is None:
            return super().run_validation(data)
        is_empty, data = self.validate_empty_values(data)
        if is_empty:
            return data
        held = self.parent.instance if self.source == "*" else None
        whole = type(self)(held, data=data, context=self.context)
        for name in unknown_fields(data, whole):
            raise serializers.ValidationError({name: NOT_KNOWN}, code="unknown_field")
        whole.is_valid(raise_exception=True)
        return whole.validated_data


NOT_KNOWN = "this field is not known here"
# An answer need not be as long as a body that is all wrong.
MOST_NAMED = 100


def unknown_fields(data: Any, serializer: serializers.BaseSerializer) -> list[str]:
    """Name the members of a body that ``serializer`` neither reads nor writes: most are slips of the finger."""
    known: Any = getattr(serializer, "fields", {})
    return [name for name in data if name not in known] if isinstance(data, dict) else []


def refuse_unknown_fields(data: Any, serializer: serializers.BaseSerializer) -> None:
    """Raise Invalid for the members of a body that nobody reads; read-only ones may be sent back as they came."""
    if names := unknown_fields(data, serializer)[:MOST_NAMED]:
        raise Invalid(NOT_KNOWN, faults=[Fault(f"/{name[:80]}", "unknown_field", NOT_KNOWN) for name in names])
