"""What a client may say, and how that is read."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from techtrack.core.api.parsers import parse_json
from techtrack.core.errors import Invalid

LARGEST = 64 * 1024
MOST_TOPICS = 100

Id = Annotated[str, Meta(max_length=100)] | Annotated[int, Meta(ge=-(2**53), le=2**53)] | None
Names = Annotated[list[Annotated[str, Meta(max_length=100)]], Meta(min_length=1, max_length=MOST_TOPICS)]


class BadMessage(Invalid):
    """The message is not one of those that a client may send."""

    code = "bad_message"


class Authenticate(msgspec.Struct, tag_field="type", tag="authenticate", forbid_unknown_fields=True):
    """Who is calling: an access token, or a ticket that opens one socket."""

    token: str | None = None
    ticket: str | None = None


class Subscribe(msgspec.Struct, tag_field="type", tag="subscribe", forbid_unknown_fields=True):
    """Ask to be told of topics; ``since`` is the number of the last event that the client has handled."""

    topics: Names
    id: Id = None
    since: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None


class Unsubscribe(msgspec.Struct, tag_field="type", tag="unsubscribe", forbid_unknown_fields=True):
    """Ask to be told of topics no more."""

    topics: Names
    id: Id = None


class Ping(msgspec.Struct, tag_field="type", tag="ping", forbid_unknown_fields=True):
    """Ask whether the server is there."""

    id: Id = None


Message = Authenticate | Subscribe | Unsubscribe | Ping


def read(text: str) -> tuple[object, Message | BadMessage]:
    """Read one message: its id, as far as it has one, and the message or what is wrong with it."""
    try:
        data = parse_json(text.encode("utf-8", "surrogatepass"))
    except Invalid as error:
        return None, BadMessage(error.detail)
    name = data.get("id") if isinstance(data, dict) else None
    given = name if isinstance(name, str | int) else None
    try:
        return given, msgspec.convert(data, Message)
    except msgspec.ValidationError as error:
        return given, BadMessage(str(error))
