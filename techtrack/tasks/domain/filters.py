"""Saved filters: the parameters of a list under a name, kept as a mapping and read strictly."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from techtrack.core.errors import Fault, Invalid, member

LONGEST_VALUE = 200


class UnknownFilter(Invalid):
    """The list has no such parameter, or not any more."""

    code = "unknown_parameter"


def parse_filter(raw: Any, *, allowed: Collection[str], pointer: str = "/query") -> dict[str, str]:
    """Read ``{"state": "open", "overdue": "true"}``: what stands in the list's address, names in order.

    ``allowed`` are the parameters that narrow or order the list; what pages through it or chooses a form is none of
    them. Whether the values are right is for the list to say, to which they are put like those of any request.

    Raises:
        UnknownFilter: with one fault for each name that is not allowed.
        Invalid: with a pointer to each value that is no text, or too long.
    """
    if not isinstance(raw, Mapping) or not raw:
        raise Invalid("an object with at least one parameter is expected", pointer=pointer)
    unknown = [name for name in raw if name not in allowed]
    if unknown:
        told = f"known here: {', '.join(sorted(allowed))}"
        raise UnknownFilter(told, faults=[Fault(member(pointer, name), UnknownFilter.code, told) for name in unknown])
    told = f"a text of 1 to {LONGEST_VALUE} characters is expected, as in an address"
    faults = [Fault(member(pointer, name), Invalid.code, told) for name, value in raw.items() if not _is_value(value)]
    if faults:
        raise Invalid(told, faults=faults)
    return {name: raw[name] for name in sorted(raw)}


def _is_value(value: Any) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= LONGEST_VALUE
