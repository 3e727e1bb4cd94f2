"""Fills ``{{ name }}`` in texts that people write; there is nothing else in this language."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from techtrack.core.errors import Fault, Invalid

_SLOT = re.compile(r"\{\{(?P<name>[^{}]*)\}\}")
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class UnknownVariable(Invalid):
    """A template names a variable that there is not."""

    code = "unknown_variable"


def check(template: str, known: Iterable[str], *, pointer: str) -> None:
    """Pass a template all of whose variables are ``known``.

    Raises:
        UnknownVariable: with one fault for each that is not, which lists those there are.
    """
    names = sorted(set(known))
    unknown = [name for name in dict.fromkeys(variables(template)) if name not in names]
    details = [f"there is no variable {name[:80]!r}; known are {', '.join(names)}" for name in unknown]
    if "{{" in _SLOT.sub("", template) or "{{{" in template:
        details.append("a variable is written as {{ name }}; here two braces open and do not close")
    if details:
        raise UnknownVariable(details[0], faults=[Fault(pointer, UnknownVariable.code, detail) for detail in details])


def variables(template: str) -> list[str]:
    """Return the names between double braces, as they stand there."""
    return [match["name"].strip() for match in _SLOT.finditer(template)]


def fill(template: str, values: Mapping[str, str], *, escape: Callable[[str], str] = str) -> str:
    """Put values for names, each passed through ``escape``; what a value holds is never filled again."""
    return _SLOT.sub(lambda match: escape(values.get(match["name"].strip(), "")), template)


def is_name(text: str) -> bool:
    """Tell whether ``text`` can be the name of a variable."""
    return _NAME.fullmatch(text) is not None
