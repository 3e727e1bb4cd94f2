"""Builds a frozen dataclass from stored JSON and describes its fields: parameters *are* the fields."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from techtrack.core.errors import Fault, Invalid, member

T = TypeVar("T")
_PATH = re.compile(r" - at `\$(?P<path>[^`]*)`$")


def build(cls: type[T], data: Any, *, pointer: str = "") -> T:
    """Make a ``cls`` from decoded JSON.

    Raises:
        Invalid: with one fault whose pointer, below ``pointer``, names the field.

    """
    if not isinstance(data, Mapping):
        raise Invalid("an object is expected", pointer=pointer)
    known = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for name in data:
        if name not in known:
            raise _fault(pointer, str(name), "unknown_field", "this field is not known here")
    for name, value in data.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise _fault(pointer, name, "not_finite", "a finite number is expected")
    try:
        return msgspec.convert(dict(data), cls)
    except msgspec.ValidationError as error:
        raise _translated(error, pointer) from error


def describe(cls: type) -> dict[str, Any]:
    """Return the JSON schema of ``cls``, for forms and for OpenAPI."""
    return msgspec.json.schema(cls)


def dump(value: object) -> dict[str, Any]:
    """Return the JSON form of a dataclass: the inverse of ``build``."""
    built: dict[str, Any] = msgspec.to_builtins(value)
    return built


def _fault(pointer: str, name: str, code: str, detail: str) -> Invalid:
    fault = Fault(member(pointer, name), code, detail)
    return Invalid(detail, faults=[fault])


def _translated(error: msgspec.ValidationError, pointer: str) -> Invalid:
    message = str(error)
    match = _PATH.search(message)
    if match:
        message = message[: match.start()]
        path = match["path"].replace("[", ".").replace("]", "").replace(".", "/")
        pointer = f"{pointer}{path}"
    elif missing := re.search(r"missing required field `(\w+)`", message):
        pointer = f"{pointer}/{missing[1]}"
    return Invalid(message, faults=[Fault(pointer, "invalid", message)])
