"""Builds a frozen dataclass from stored JSON and describes its fields: parameters *are* the fields."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, get_args, get_type_hints

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
        raise _translated(error, pointer, cls) from error


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


def _translated(error: msgspec.ValidationError, pointer: str, cls: type) -> Invalid:
    message = str(error)
    match = _PATH.search(message)
    words: Sequence[object] = ()
    if match:
        message = message[: match.start()]
        # Of a field that takes one of several words.
        words = get_args(get_type_hints(cls).get(match["path"].strip(".")))
        path = match["path"].replace("[", ".").replace("]", "").replace(".", "/")
        pointer = f"{pointer}{path}"
    elif missing := re.search(r"missing required field `(\w+)`", message):
        pointer = f"{pointer}/{missing[1]}"
    told = _plain(message, words)
    return Invalid(told, faults=[Fault(pointer, "invalid", told)])


# The library's names of types, as people say them.
_TYPES = {
    "float": "a number",
    "int": "a whole number",
    "str": "a text",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "duration": "a duration such as PT5M",
    "null": "null",
}


def _plain(message: str, words: Sequence[object]) -> str:
    """Say in plain words what was expected: ``Expected `float | object`, got `str``` is for programmers."""
    if message.startswith("Invalid enum value") and words and all(isinstance(word, str) for word in words):
        return f"choose one of {', '.join(map(str, words))}"
    if message == "Invalid ISO8601 duration":
        return "a duration such as PT5M is expected"
    found = re.fullmatch(r"Expected `([^`]+)`, got `([^`]+)`", message)
    if not found:
        return message
    wanted, got = (" or ".join(_TYPES.get(name, name) for name in side.split(" | ")) for side in found.groups())
    return f"{wanted} is expected, not {got}"
