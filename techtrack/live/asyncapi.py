"""The document of the socket (AsyncAPI 3), made of what clients may say and of what the topics tell."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

import msgspec

from techtrack.live.admission import ADDRESS
from techtrack.live.messages import LARGEST, Authenticate, Ping, Subscribe, Unsubscribe
from techtrack.live.subscriber import NOT_ALLOWED, TOO_LARGE, TRY_LATER, UNKNOWN
from techtrack.live.topics import Forms, Topic, Topics

SCHEMA = "#/components/schemas/{name}"
MESSAGE = "#/channels/live/messages/"
ABOUT = """\
One WebSocket for all news. Say who is calling by header, or with `authenticate` as the first message; then `subscribe`.

The answer `subscribed` shows what is (`snapshot`, by topic) at the number `sequence`; what happens from there on
follows, each event once and in order. After a lost connection subscribe with `since`, the number of the last event that
was handled: the answer says how many were `missed`, and these follow first. `resync` before the answer says that they
are no longer kept (older than a day), or too many to be told: begin again from the snapshot. Readings have no number;
of them a slow client gets the newest.

The server beats its heart every 20 s, and closes what does not answer a WebSocket ping in time.
"""
CLOSING = {
    str(TOO_LARGE): f"a message was longer than {LARGEST} bytes",
    str(
        TRY_LATER
    ): "come again later: too many sockets, too slow a reader, or the platform cannot look at its database",
    str(UNKNOWN): "nobody knows, or knows any more, who is calling: wrong credentials, or the session has ended",
    str(NOT_ALLOWED): "these credentials are for something else",
}


class Subscribed(TypedDict):
    """The answer to ``subscribe``: what is, at which number, and how many missed events come next (with ``since``)."""

    type: Literal["subscribed"]
    id: NotRequired[str | int]
    snapshot: dict[str, Any]
    sequence: int
    missed: NotRequired[int]


class Unsubscribed(TypedDict):
    """The answer to ``unsubscribe``."""

    type: Literal["unsubscribed"]
    id: NotRequired[str | int]


class Resync(TypedDict):
    """What was missed since ``since`` is no longer kept: ``subscribed`` follows, with the snapshot to begin from."""

    type: Literal["resync"]
    id: NotRequired[str | int]


class Refusal(TypedDict):
    """Something was refused: a message (its ``id``), a topic since a role was taken away, or the socket."""

    type: Literal["error"]
    id: NotRequired[str | int]
    code: str
    detail: str


class Heartbeat(TypedDict):
    """Still there."""

    type: Literal["heartbeat"]


class Pong(TypedDict):
    """The answer to ``ping``."""

    type: Literal["pong"]
    id: NotRequired[str | int]


HEARD: dict[str, type] = {
    "authenticate": Authenticate,
    "subscribe": Subscribe,
    "unsubscribe": Unsubscribe,
    "ping": Ping,
}
TOLD: dict[str, type] = {
    "subscribed": Subscribed,
    "unsubscribed": Unsubscribed,
    "resync": Resync,
    "error": Refusal,
    "heartbeat": Heartbeat,
    "pong": Pong,
}
ANSWERS = {"subscribe": ["subscribed", "resync", "error"], "unsubscribe": ["unsubscribed"], "ping": ["pong"]}


def document(topics: Topics, *, version: str) -> dict[str, Any]:
    """Return the document of a socket with these topics."""
    forms = [topic.forms for topic in topics.kinds() if topic.forms]
    frames = {_name(frame): frame for form in forms for frame in form.frames}
    told = TOLD | frames
    messages = HEARD | told
    shown = [form.snapshot for form in forms if form.snapshot]
    _, schemas = msgspec.json.schema_components([*messages.values(), *shown], ref_template=SCHEMA)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "TechTrack live", "version": version, "description": ABOUT},
        "defaultContentType": "application/json",
        "servers": {"platform": _server()},
        "channels": {"live": _channel(messages, topics)},
        "operations": _operations(told),
        "components": {
            "messages": {name: _message(name, kind) for name, kind in messages.items()},
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An access token."},
                "key": {"type": "http", "scheme": "Api-Key", "description": "An API key that may read."},
                "header": {"type": "httpApiKey", "in": "header", "name": "X-API-Key", "description": "The same."},
            },
        },
    }


def _server() -> dict[str, Any]:
    schemes = ("bearer", "key", "header")
    return {
        "host": "{host}",
        "protocol": "wss",
        "description": "Without TLS ws. Pages bring a ticket (POST /api/live/ticket/) in their first message instead.",
        "variables": {"host": {"default": "localhost:8000"}},
        "security": [{"$ref": f"#/components/securitySchemes/{scheme}"} for scheme in schemes],
    }


def _channel(messages: dict[str, type], topics: Topics) -> dict[str, Any]:
    return {
        "address": f"{ADDRESS}/",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
        "x-subprotocol": "techtrack.v1",
        "x-topics": {topic.pattern: _topic(topic, topic.forms) for topic in topics.kinds() if topic.forms},
        "x-close-codes": CLOSING,
    }


def _topic(topic: Topic, forms: Forms) -> dict[str, Any]:
    told: dict[str, Any] = {"messages": [{"$ref": f"{MESSAGE}{_name(frame)}"} for frame in forms.frames]}
    if forms.snapshot:
        told["snapshot"] = {"$ref": SCHEMA.format(name=forms.snapshot.__name__)}
    return told | ({"gathers": list(topic.gathers)} if topic.gathers else {})


def _operations(told: dict[str, type]) -> dict[str, Any]:
    channel = {"$ref": "#/channels/live"}
    tell = {"action": "send", "channel": channel, "messages": [{"$ref": f"{MESSAGE}{name}"} for name in told]}
    hear = {
        name: {"action": "receive", "channel": channel, "messages": [{"$ref": f"{MESSAGE}{name}"}]} for name in HEARD
    }
    for name, answers in ANSWERS.items():
        hear[name]["reply"] = {"channel": channel, "messages": [{"$ref": f"{MESSAGE}{answer}"} for answer in answers]}
    return {**hear, "tell": tell}


def _message(name: str, kind: type) -> dict[str, Any]:
    return {"name": name, "summary": kind.__doc__, "payload": {"$ref": SCHEMA.format(name=kind.__name__)}}


def _name(frame: type) -> str:
    """Return the name of the message that a frame is: ``TaskGoneFrame`` is ``task_gone``."""
    words = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in frame.__name__)
    return words.strip("_").removesuffix("_frame")
