"""The fast door POST /api/ingest/ as an ASGI application: who, how much, what, then one commit with all who wait.

What is rare goes to the same door behind Django (api/views.py): other methods, cookies, odd headers. What is not
plainly good goes through the same code as every other door, so that each refusal is the same everywhere.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import numpy as np
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import QueryDict
from django.http.request import split_domain_port, validate_host
from prometheus_client import Counter
from rest_framework import exceptions as drf
from rest_framework.utils.mediatypes import media_type_matches

from techtrack.accounts.domain.access import Access
from techtrack.core import clock
from techtrack.core.api import problems
from techtrack.core.api.filters import refuse_unknown
from techtrack.core.api.parsers import parse_json
from techtrack.core.errors import Invalid
from techtrack.core.http import REQUESTS, SECONDS, name_request
from techtrack.telemetry import services
from techtrack.telemetry.domain.decoding import Columns, Few, decode
from techtrack.telemetry.domain.reading import Batch, Row
from techtrack.telemetry.ingest.body import Gone, Patience, Place, Receive, Room, Saturated, read_body
from techtrack.telemetry.ingest.callers import Callers, Headers, Visitor
from techtrack.telemetry.ingest.threads import Threads
from techtrack.telemetry.ingest.wire import receipt_as_json, skips
from techtrack.telemetry.ingest.writer import Writer
from techtrack.telemetry.services import Checked, Known

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

PATHS = frozenset({"/api/ingest", "/api/ingest/"})
ROUTE = "api/ingest/"
JSON = b"application/json"
# A larger body is decoded in a thread: the loop must not stand still for more than some milliseconds.
DECODED_HERE = 1_000_000
# The rest of a refused body is read over up to this length, so that the connection lives on; beyond it is closed.
READ_OVER = 1_000_000
MOST_HOSTS = 100


@dataclass(frozen=True, slots=True)
class Limits:
    """The longest body, how many bytes of bodies and readings may wait, and the seconds that a body may take."""

    body: int
    waiting_bytes: int
    waiting_readings: int
    patience: float = 30.0


@dataclass(slots=True)
class _Answer:
    status: int
    body: bytes
    headers: Sequence[tuple[bytes, bytes]] = ()
    media_type: bytes = JSON


_ONE = _Answer(200, b'{"accepted":1}')
_NOSNIFF = (b"x-content-type-options", b"nosniff")
_SECONDS = SECONDS.labels(ROUTE, "POST")


@cache
def _requests(status: int) -> Counter:
    return REQUESTS.labels(ROUTE, "POST", status)


class _NotOurs(Exception):
    """The door behind us answers."""


class Gateway:
    """The ASGI application; ``behind`` is the one that answers what is rare."""

    def __init__(self, behind: Application, limits: Limits, writer: Writer | None = None) -> None:
        self._behind = behind
        self._limits = limits
        self._writer = writer or Writer()
        self._room = Room(limits.waiting_bytes)
        self._patience = Patience(limits.patience)
        self._threads = Threads()
        self._callers = Callers(self._threads)
        self._hosts: set[bytes] = set()

    def forget(self) -> None:
        """Ask anew who may do what, since something was written that may have changed it."""
        self._callers.forget()

    def close(self) -> None:
        """Commit what waits, and take nothing more."""
        self._writer.close()
        self._threads.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        headers: Headers = dict(scope["headers"])
        try:
            self._check_ours(scope, headers)
            name = name_request(headers.get(b"x-request-id", b"").decode("latin-1"))
            answer = await self._answered(scope, headers, receive)
            await _send(answer, name, send, close=_closes(answer, headers))
        except _NotOurs:
            await self._behind(scope, receive, send)
            return
        except Gone:
            return
        _requests(answer.status).inc()
        _SECONDS.observe(time.perf_counter() - began)

    def _check_ours(self, scope: Scope, headers: Headers) -> None:
        # Of a header that comes twice Django makes one, each in its own way.
        if scope["method"] != "POST" or len(headers) != len(scope["headers"]):
            raise _NotOurs
        accept = headers.get(b"accept", b"*/*")
        if b"*/*" not in accept and b"json" not in accept:
            raise _NotOurs
        host = headers.get(b"host", b"")
        if host not in self._hosts:
            if not validate_host(split_domain_port(host.decode("latin-1"))[0], settings.ALLOWED_HOSTS):
                raise _NotOurs
            if len(self._hosts) < MOST_HOSTS:
                self._hosts.add(host)

    async def _answered(self, scope: Scope, headers: Headers, receive: Receive) -> _Answer:
        try:
            return await self._served(scope, headers, receive)
        except (_NotOurs, Gone):
            raise
        except Exception as error:  # noqa: BLE001 - problems.py says what each kind is, and logs what nobody expected
            status, told, body = problems.answer(error, instance=scope["path"])
            more = [(word.lower().encode(), value.encode()) for word, value in told.items()]
            return _Answer(status, json.dumps(body).encode(), more, problems.MEDIA_TYPE.encode())

    async def _served(self, scope: Scope, headers: Headers, receive: Receive) -> _Answer:
        visitor = await self._visitor(scope, headers)
        skip = _read_query(scope["query_string"]) if scope["query_string"] else False
        declared = _declared(headers)
        if declared > self._limits.body:
            raise RequestDataTooBig
        if self._writer.waiting >= self._limits.waiting_readings:
            raise Saturated
        with self._room.place(declared) as place:
            raw = await self._body(headers, receive, place)
            checked = await self._checked(raw, visitor, skip=skip)
            accepted = len(checked)
            if accepted:
                await self._writer.submit(checked, accepted)
        if not skip:
            return _ONE if accepted == 1 else _Answer(200, b'{"accepted":%d}' % accepted)
        return _Answer(200, json.dumps(receipt_as_json(accepted, checked.faults)).encode())

    async def _visitor(self, scope: Scope, headers: Headers) -> Visitor:
        if b"authorization" in headers or b"x-api-key" in headers:
            visitor = await self._callers.visitor(headers, (scope.get("client") or ("", 0))[0])
            if visitor.access is not None:
                if not visitor.access.may_use("readings", writing=True):
                    raise drf.PermissionDenied
                return visitor
        if b"cookie" in headers:
            raise _NotOurs
        raise drf.NotAuthenticated

    async def _body(self, headers: Headers, receive: Receive, place: Place) -> bytes:
        # An empty body has no type: what is missing in it is said below.
        if headers.get(b"content-length") != b"0":
            _check_media_type(headers)
        return await read_body(receive, place, most=self._limits.body, patience=self._patience)

    async def _checked(self, raw: bytes, visitor: Visitor, *, skip: bool) -> Checked:
        now = clock.now()
        sent = decode(raw, now=now) if len(raw) <= DECODED_HERE else await self._threads.run(decode, raw, now=now)
        if sent is not None and (ids := await _ids(sent.refs, visitor)) is not None:
            checked = _plainly_good(sent, ids, visitor.known, now)
            if checked is not None:
                return checked
        access: Any = visitor.access
        return await self._threads.run(_look_carefully, raw, access, now=now, skip=skip)


async def _ids(refs: Sequence[int | str], visitor: Visitor) -> list[int] | None:
    """Return the ids of the assets, None where one is not the caller's."""
    known = visitor.known.ids
    try:
        return list(map(known.__getitem__, refs))
    except KeyError:
        if not await visitor.get_to_know(refs):
            return None
    return list(map(known.__getitem__, refs))


def _plainly_good(sent: Columns | Few, ids: list[int], known: Known, now: datetime) -> Checked | None:
    """Check readings; None where there is something wrong: the careful look finds it too, and says where it is."""
    if isinstance(sent, Few):
        rows = list(map(Row, ids, sent.times, sent.values))
        return Checked((), known, rows=rows) if services.are_good(rows, known, now) else None
    batch = Batch(np.fromiter(ids, np.int64, len(ids)), sent.times, sent.values)
    try:
        services.check_columns(batch, known, now)
    except Invalid:
        return None
    return Checked([batch], known)


def _look_carefully(raw: bytes, access: Access, *, now: Any, skip: bool) -> Checked:
    data = parse_json(raw, finite=False) if raw else {}
    return services.check_document(data=data, name="asset", kind=None, by=access, now=now, skip=skip)


def _read_query(raw: bytes) -> bool:
    parameters = QueryDict(raw)
    refuse_unknown(parameters, {"on_error"})
    return skips(parameters.get("on_error"))


def _declared(headers: Headers) -> int:
    text = headers.get(b"content-length", b"0")
    return int(text) if text.isdigit() else 0


def _check_media_type(headers: Headers) -> None:
    media_type = headers.get(b"content-type", b"")
    if media_type != JSON and not media_type_matches(JSON.decode(), media_type.decode("latin-1")):
        raise drf.UnsupportedMediaType(media_type.decode("latin-1"))
    coding = headers.get(b"content-encoding", b"identity").decode("latin-1")
    if coding.lower() != "identity":
        detail = f"The content coding {coding[:80]!r} is not read here; send the body as it is."
        raise drf.UnsupportedMediaType(media_type.decode("latin-1"), detail)


def _closes(answer: _Answer, headers: Headers) -> bool:
    """Tell whether so much of a refused body may be on its way that it is not worth the line."""
    if answer.status < 400:  # noqa: PLR2004 - the first status that refuses
        return False
    return b"transfer-encoding" in headers or b"expect" in headers or _declared(headers) > READ_OVER


async def _send(answer: _Answer, name: str, send: Send, *, close: bool) -> None:
    headers = [
        (b"content-type", answer.media_type),
        (b"content-length", b"%d" % len(answer.body)),
        (b"x-request-id", name.encode()),
        _NOSNIFF,
        *answer.headers,
    ]
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
