"""Headers that people add to requests: names and values that cannot be taken for anything else."""

from __future__ import annotations

import re
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
        Invalid: a name or a value cannot stand in a request, or is not for people to set.
    """
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or name.lower() in _OURS:
            raise Invalid(f"{name[:100]!r} is not a header that can be added", pointer=member("/config/headers", name))
        if not _VALUE.fullmatch(value):
            raise Invalid("only printable ASCII can stand in a header", pointer=member("/config/headers", name))
