"""Doors of plain ASGI beside Django: they answer what is plain as Django would, and leave to it what is rare."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.conf import settings
from django.http.request import split_domain_port, validate_host
from prometheus_client import Counter, Histogram

from techtrack.core.api import problems
from techtrack.core.headers import always
from techtrack.core.http import REQUESTS, SECONDS, name_request

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Mapping[bytes, bytes]

JSON = b"application/json"
MOST_HOSTS = 100
# The rest of a refused body is read over up to this length, so that the connection lives on; beyond it is closed.
READ_OVER = 1_000_000
_hosts: set[bytes] = set()


class NotOurs(Exception):
    """The application behind this door answers."""


class Gone(Exception):
    """The client went away before its body was complete; nobody is answered."""


@dataclass(slots=True)
class Answer:
    """What is sent back."""

    status: int
    body: bytes
    headers: Sequence[tuple[bytes, bytes]] = ()
    media_type: bytes = JSON


@cache
def _answers(route: str, method: str, status: int) -> Counter:
    return REQUESTS.labels(route, method, status)


@cache
def _seconds(route: str, method: str) -> Histogram:
    return SECONDS.labels(route, method)


def read_headers(scope: Scope, *, method: str) -> Headers:
    """Return the headers of a plain request of that method for JSON.

    Raises:
        NotOurs: it is none, or not for a host of ours.
    """
    if scope["method"] != method:
        raise NotOurs
    headers: Headers = dict(scope["headers"])
    # A page of another origin is told what it may read by Django.
    if settings.CORS_ALLOWED_ORIGINS and b"origin" in headers:
        raise NotOurs
    # Of a header that comes twice Django makes one, each in its own way.
    if len(headers) != len(scope["headers"]):
        raise NotOurs
    accept = headers.get(b"accept", b"*/*")
    if b"*/*" not in accept and JSON not in accept:
        raise NotOurs
    host = headers.get(b"host", b"")
    if host not in _hosts:
        if not validate_host(split_domain_port(host.decode("latin-1"))[0], settings.ALLOWED_HOSTS):
            raise NotOurs
        if len(_hosts) < MOST_HOSTS:
            _hosts.add(host)
    return headers


async def answer(
    scope: Scope, send: Send, *, route: str, headers: Headers, work: Callable[[], Awaitable[Answer]]
) -> None:
    """Send what ``work`` answers, or the problem that it raises; count it under ``route``.

    Raises:
        NotOurs: ``work`` raised it; nothing was sent.
        Gone: so did it.
    """
    began = time.perf_counter()
    name = name_request(headers.get(b"x-request-id", b"").decode("latin-1"))
    try:
        told = await work()
    except (NotOurs, Gone):
        raise
    except Exception as error:  # noqa: BLE001 - problems.py says what each kind is, and logs what nobody expected
        told = _refusal(error, scope)
    await _send(told, name, send, closes=told.status >= 400 and _may_be_followed(headers))  # noqa: PLR2004 - refusals
    _answers(route, scope["method"], told.status).inc()
    _seconds(route, scope["method"]).observe(time.perf_counter() - began)


def declared(headers: Headers) -> int:
    """Return how many bytes the body is said to have."""
    text = headers.get(b"content-length", b"0")
    return int(text) if text.isdigit() else 0


def _may_be_followed(headers: Headers) -> bool:
    """Tell whether so much of a refused body may be on its way that it is not worth the line."""
    return b"transfer-encoding" in headers or b"expect" in headers or declared(headers) > READ_OVER


def _refusal(error: Exception, scope: Scope) -> Answer:
    status, told, body = problems.answer(error, instance=scope["path"])
    more = [(word.lower().encode(), value.encode()) for word, value in told.items()]
    raw = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return Answer(status, raw, more, problems.MEDIA_TYPE.encode())


@cache
def _fixed() -> Sequence[tuple[bytes, bytes]]:
    found = always() | ({"Vary": "Origin"} if settings.CORS_ALLOWED_ORIGINS else {})
    return [(name.lower().encode(), value.encode()) for name, value in found.items()]


async def _send(told: Answer, name: str, send: Send, *, closes: bool) -> None:
    lines = [
        (b"content-type", told.media_type),
        (b"content-length", b"%d" % len(told.body)),
        (b"x-request-id", name.encode()),
        *_fixed(),
        *told.headers,
    ]
    if not any(line[0] == b"cache-control" for line in told.headers):
        lines.append((b"cache-control", b"no-store"))
    if closes:
        lines.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": told.status, "headers": lines})
    await send({"type": "http.response.body", "body": told.body})
