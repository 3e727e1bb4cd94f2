"""The fast door POST /api/ingest/ as an ASGI application: who, how much, what, then one commit with all who wait.

What is rare goes to the same door behind Django (api/views.py): other methods, cookies, odd headers. What is not
plainly good goes through the same code as every other door, so that each refusal is the same everywhere.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np
from django.core.exceptions import RequestDataTooBig
from django.http import QueryDict
from rest_framework import exceptions as drf
from rest_framework.utils.mediatypes import media_type_matches

from techtrack.accounts.domain.access import Access
from techtrack.core import clock
from techtrack.core.api import native
from techtrack.core.api.filters import refuse_unknown
from techtrack.core.api.native import JSON, Answer, Application, Gone, Headers, NotOurs, Receive, Scope, Send, declared
from techtrack.core.api.parsers import parse_json
from techtrack.core.errors import Invalid
from techtrack.telemetry import services
from techtrack.telemetry.domain.decoding import Columns, Few, decode
from techtrack.telemetry.domain.reading import Batch, Row
from techtrack.telemetry.ingest.body import Patience, Room, Saturated, read_body
from techtrack.telemetry.ingest.callers import Callers, Visitor
from techtrack.telemetry.ingest.threads import Threads
from techtrack.telemetry.ingest.wire import receipt_as_json, skips
from techtrack.telemetry.ingest.writer import Writer
from techtrack.telemetry.services import Checked, Known

PATHS = frozenset({"/api/ingest", "/api/ingest/"})
ROUTE = "api/ingest/"
# A larger body is decoded in a thread: the loop must not stand still for more than some milliseconds.
DECODED_HERE = 1_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """The longest body, how many bytes of bodies and readings may wait, and the seconds that a body may take."""

    body: int
    waiting_bytes: int
    waiting_readings: int
    patience: float = 30.0


_ONE = Answer(200, b'{"accepted":1}')


class Gateway:
    """The ASGI application; ``behind`` is the one that answers what is rare."""

    def __init__(self, behind: Application, limits: Limits, writer: Writer | None = None) -> None:
        self._behind = behind
        self._limits = limits
        self._writer = writer or Writer()
        self._room = Room(limits.waiting_bytes)
        self._patience = Patience(limits.patience)
        self._threads = Threads()
        self.callers = Callers(self._threads)

    def close(self) -> None:
        """Commit what waits, and take nothing more."""
        self._writer.close()
        self._threads.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            headers = native.read_headers(scope, method="POST")
            work = partial(self._served, scope, headers, receive)
            await native.answer(scope, send, route=ROUTE, headers=headers, work=work)
        except NotOurs:
            await self._behind(scope, receive, send)
        except Gone:
            return

    async def _served(self, scope: Scope, headers: Headers, receive: Receive) -> Answer:
        visitor = await self._visitor(scope, headers)
        skip = _read_query(scope["query_string"]) if scope["query_string"] else False
        size = declared(headers)
        if size > self._limits.body:
            raise RequestDataTooBig
        if self._writer.waiting >= self._limits.waiting_readings:
            raise Saturated
        with self._room.place(size) as place:
            # An empty body has no type: what is missing in it is said below.
            if headers.get(b"content-length") != b"0":
                _check_media_type(headers)
            raw = await read_body(receive, place, most=self._limits.body, patience=self._patience)
            checked = await self._checked(raw, visitor, skip=skip)
            accepted = len(checked)
            if accepted:
                await self._writer.submit(checked, accepted)
        if not skip:
            return _ONE if accepted == 1 else Answer(200, b'{"accepted":%d}' % accepted)
        return Answer(200, json.dumps(receipt_as_json(accepted, checked.faults)).encode())

    async def _visitor(self, scope: Scope, headers: Headers) -> Visitor:
        if b"authorization" in headers or b"x-api-key" in headers:
            visitor = await self.callers.visitor(headers, (scope.get("client") or ("", 0))[0])
            if visitor.access is not None:
                if not visitor.access.may_use("readings", writing=True):
                    raise drf.PermissionDenied
                return visitor
        if b"cookie" in headers:
            raise NotOurs
        raise drf.NotAuthenticated

    async def _checked(self, raw: bytes, visitor: Visitor, *, skip: bool) -> Checked:
        now = clock.now()
        sent = decode(raw, now=now) if len(raw) <= DECODED_HERE else await self._threads.run(decode, raw, now=now)
        if sent is not None:
            ids = _ids(sent.refs, visitor.known)
            if ids is None and await visitor.get_to_know(sent.refs):
                ids = _ids(sent.refs, visitor.known)
            if ids is not None and (checked := _plainly_good(sent, ids, visitor.known, now)) is not None:
                return checked
        access: Any = visitor.access
        return await self._threads.run(_look_carefully, raw, access, now=now, skip=skip)


def _ids(refs: Sequence[int | str], known: Known) -> list[int] | None:
    """Return the ids of the assets, None where one is not known."""
    try:
        return list(map(known.ids.__getitem__, refs))
    except KeyError:
        return None


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


def _check_media_type(headers: Headers) -> None:
    media_type = headers.get(b"content-type", b"")
    if media_type != JSON and not media_type_matches(JSON.decode(), media_type.decode("latin-1")):
        raise drf.UnsupportedMediaType(media_type.decode("latin-1"))
    coding = headers.get(b"content-encoding", b"identity").decode("latin-1")
    if coding.lower() != "identity":
        detail = f"The content coding {coding[:80]!r} is not read here; send the body as it is."
        raise drf.UnsupportedMediaType(media_type.decode("latin-1"), detail)
