"""The strict way in for JSON: what two databases or two parsers could read differently is refused."""

from __future__ import annotations

import codecs
import json
import math
from collections.abc import Iterator, Mapping
from typing import IO, Any, ClassVar

from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.parsers import JSONParser

from techtrack.core.errors import Fault, Invalid, member

MAX_DEPTH = 32


class UnreadableBody(Invalid):
    """The body is not JSON that every reader would understand alike."""

    code = "unreadable"


class StrictJSONParser(JSONParser):
    """Refuses duplicate keys, NaN, infinity, NUL, lone surrogates, huge integers and nesting deeper than 32."""

    finite: ClassVar[bool] = True

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        headers = parser_context["request"].headers if parser_context else {}
        coding = headers.get("Content-Encoding", "identity")
        if coding.lower() != "identity":
            detail = f"The content coding {coding[:80]!r} is not read here; send the body as it is."
            raise UnsupportedMediaType(str(media_type), detail)
        return parse_json(stream.read(), finite=self.finite)


class MergePatchParser(StrictJSONParser):
    """The same under the name that RFC 7396 gives to the body of a PATCH."""

    media_type = "application/merge-patch+json"


class ReadingsParser(StrictJSONParser):
    """Lets NaN and infinity through to readers that refuse each at its place: the readings beside it may be good."""

    finite = False


def parse_json(raw: bytes, *, finite: bool = True) -> Any:
    """Decode ``raw`` strictly; unless ``finite``, NaN and infinities are left to the reader.

    Raises:
        UnreadableBody: it is not UTF-8, not JSON, or uses one of the refused forms.

    """
    words: list[str] = []

    def number(word: str) -> float:
        value = float(word)
        if not math.isfinite(value):
            words.append(word)
        return value

    try:
        data = json.loads(
            raw.decode("utf-8").removeprefix(codecs.BOM_UTF8.decode()),
            object_pairs_hook=_once,
            parse_constant=number,
            # A number that no float holds, such as 1e400; who judges each number in its place sees that it is infinite.
            parse_float=number if finite else None,
        )
    except RecursionError:
        raise UnreadableBody(f"nested deeper than {MAX_DEPTH}") from None
    except UnicodeDecodeError:
        raise UnreadableBody("the body is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise UnreadableBody(f"not JSON: {error.msg} at line {error.lineno} column {error.colno}") from None
    except ValueError as error:
        # Python refuses integers of more than 4,300 digits.
        raise UnreadableBody(str(error)) from None
    check(data)
    if words and finite:
        detail = f"{words[0][:80]} is not a finite number"
        raise UnreadableBody(detail, faults=[Fault(place, "not_finite", detail) for place in _not_finite(data)][:100])
    return data


def check(data: Any, pointer: str = "", depth: int = 0) -> None:
    """Refuse text that a database cannot hold and nesting that a reader cannot follow."""
    if isinstance(data, str):
        _check_text(data, pointer)
    elif isinstance(data, (dict, list)):
        if depth >= MAX_DEPTH:
            raise UnreadableBody(f"nested deeper than {MAX_DEPTH}")
        items = data.items() if isinstance(data, dict) else enumerate(data)
        for key, value in items:
            if isinstance(key, str):
                _check_text(key, pointer)
            # Numbers, the bulk of any batch, need no visit.
            if isinstance(value, (str, dict, list)):
                check(value, member(pointer, key), depth + 1)


def _check_text(text: str, pointer: str) -> None:
    if "\x00" in text:
        raise UnreadableBody("text contains NUL", faults=[Fault(pointer, "nul", "text contains NUL")])
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        detail = "text contains a lone surrogate"
        raise UnreadableBody(detail, faults=[Fault(pointer.encode("utf-8", "replace").decode(), "surrogate", detail)])


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen = dict(pairs)
    if len(seen) < len(pairs):
        raise UnreadableBody("an object names the same key twice")
    return seen


def _not_finite(data: Any, pointer: str = "") -> Iterator[str]:
    if isinstance(data, float) and not math.isfinite(data):
        yield pointer
    elif isinstance(data, (dict, list)):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from _not_finite(value, member(pointer, key))
