"""Names of time zones."""

from __future__ import annotations

from functools import cache
from zoneinfo import available_timezones

from techtrack.core.errors import Invalid


class UnknownTimeZone(Invalid):
    """It is not a name of the IANA time zone database."""

    code = "unknown_time_zone"


def check_zone(name: str, *, pointer: str) -> None:
    """Pass if ``name`` is a time zone.

    Raises:
        UnknownTimeZone: it is not one.

    """
    if name not in _names():
        raise UnknownTimeZone("a name such as Europe/Berlin is expected", pointer=pointer)


# Making this set reads a file and walks a tree: ten milliseconds, once.
@cache
def _names() -> frozenset[str]:
    return frozenset(available_timezones())
