"""Headers that people add to requests: names and values that cannot be taken for anything else."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Annotated

import msgspec

from techtrack.core.errors import Invalid, member

Headers = Annotated[dict[str, Annotated[str, msgspec.Meta(max_length=2000)]], msgspec.Meta(max_length=20)]

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_VALUE = re.compile(r"[ -~]*")
# Those say how the message is carried, and are ours to write.
_OURS = {"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "expect"}


def check_headers(headers: dict[str, str]) -> None:
    """Pass headers that a request can carry.

    Raises:
        Invalid: a name or a value cannot stand in a request, is there twice, or is not for people to set.
    """
    names = Counter(name.lower() for name in headers)
    for name, value in headers.items():
        if names[name.lower()] > 1:
            raise Invalid(
                f"{name[:100]!r} is there twice: capitals make no other header", pointer=member("/config/headers", name)
            )
        if not _NAME.fullmatch(name) or name.lower() in _OURS:
            raise Invalid(f"{name[:100]!r} is not a header that can be added", pointer=member("/config/headers", name))
        if not _VALUE.fullmatch(value):
            raise Invalid("only printable ASCII can stand in a header", pointer=member("/config/headers", name))


def joined(theirs: Mapping[str, str], ours: Mapping[str, str]) -> dict[str, str]:
    """Return headers of people's with our own, which stand in place of any of that name, in whatever capitals."""
    named = {name.lower() for name in ours}
    return {name: value for name, value in theirs.items() if name.lower() not in named} | dict(ours)
