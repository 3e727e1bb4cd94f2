"""The ASGI front before Django: only whole bodies reach a view, and no answer is made for a reader who has gone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from typing import Any, cast

from a2wsgi import WSGIMiddleware
from django.core.exceptions import RequestDataTooBig

from techtrack.core.errors import Overloaded
from techtrack.core.http import METHODS, REQUESTS

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Environ = dict[str, Any]
Wsgi = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

# Where the threads of the bridge find out that nobody reads any more.
GONE = "techtrack.gone"

# Whoever watches the process must hear from it just when it has much to do.
WATCHED = frozenset({"/healthz", "/readyz", "/metrics"})
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# Doors that machines knock at all the time, and that change nothing but readings.
READINGS = ("/api/data", "/api/measurements", "/api/ingest", "/v1/push-sensor-data", "/sensors/airgradient:")


class TooLarge(Exception):
    """The body is longer than the server accepts."""


class Gone(Exception):
    """The client went away before its body was complete."""


class WholeBody:
    """Buffers a request body up to ``limit`` bytes, then hands it on with its true length.

    The bridge to WSGI alone would lose chunked bodies and take a truncated upload for a complete one. Where ``queue``
    is full nothing is read.
    """

    def __init__(self, application: Application, *, limit: int, queue: Queue | None = None) -> None:
        self._application = application
        self._limit = limit
        self._queue = queue

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._queue is not None and self._queue.refuses(scope):
            await refuse(Overloaded(), scope, send)
            return
        try:
            body = await self._read(scope, receive)
        except Gone:
            return
        except TooLarge:
            await refuse(RequestDataTooBig(), scope, send)
            return
        headers = [(k, v) for k, v in scope["headers"] if k not in {b"content-length", b"transfer-encoding"}]
        # WSGI writes X_Forwarded_For as X-Forwarded-For, which a proxy before us vouches for: no such names.
        headers = [(k, v) for k, v in headers if b"_" not in k]
        scope = {**scope, "headers": [*headers, (b"content-length", str(len(body)).encode())]}
        await self._application(scope, _replaying(body, receive), send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes:
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self._limit:
            raise TooLarge
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Gone
            body += message.get("body", b"")
            if len(body) > self._limit:
                raise TooLarge
            if not message.get("more_body", False):
                return bytes(body)


class Queue:
    """Lets ``most`` requests in at once, in work or in line for a thread, and refuses the others at once (503).

    A line that only grows answers nobody in time: its first ones have gone when their turn comes.
    """

    def __init__(self, application: Application, *, most: int) -> None:
        self._application = application
        self._most = most
        self._inside = 0

    def refuses(self, scope: Scope) -> bool:
        """Tell whether there is no room for a request."""
        return self._inside >= self._most and scope["path"] not in WATCHED

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Again: others may have come while its body was read.
        if self.refuses(scope):
            await refuse(Overloaded(), scope, send)
            return
        self._inside += 1
        try:
            await self._application(scope, receive, send)
        finally:
            self._inside -= 1


class Bridge:
    """Serves a WSGI application in threads; an answer of many pieces ends when its reader goes away.

    The server drops what is sent to nobody, and the bridge alone would go on making it, an export for hours.
    """

    def __init__(self, application: Wsgi, *, workers: int) -> None:
        self._application = application
        # The bridge's annotations name one message at a time; what it takes and sends is plain ASGI.
        self._bridge: Any = WSGIMiddleware(cast("Any", self._answer), workers=workers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = threading.Event()
        pieces, watching = 0, None

        async def counting(message: Message) -> None:
            nonlocal pieces, watching
            await send(message)
            pieces += bool(message.get("more_body"))
            # Most answers are one piece, and are over before anybody could go.
            if pieces > 1 and watching is None:
                watching = asyncio.create_task(watch(receive, gone))

        try:
            await self._bridge({**scope, GONE: gone}, receive, counting)
        finally:
            if watching is not None:
                watching.cancel()

    def _answer(self, environ: Environ, start_response: Callable[..., Any]) -> Iterator[bytes]:
        gone = environ["asgi.scope"][GONE]
        answer = self._application(environ, start_response)
        try:
            for piece in answer:
                yield piece
                if gone.is_set():
                    break
        finally:
            if close := getattr(answer, "close", None):
                close()


async def watch(receive: Receive, gone: threading.Event) -> None:
    """Wait until the client has gone, and say so."""
    while (await receive())["type"] != "http.disconnect":
        pass
    gone.set()


class AfterWrites:
    """Calls ``listener`` when a request that may have changed something is about to be answered.

    What it changed is committed by then, and its caller may act on it at once.
    """

    def __init__(self, application: Application, listener: Callable[[], object]) -> None:
        self._application = application
        self._listener = listener

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] in SAFE or scope["path"].startswith(READINGS):
            await self._application(scope, receive, send)
            return

        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._listener()
            await send(message)

        await self._application(scope, receive, telling)


def _replaying(body: bytes, receive: Receive) -> Receive:
    pending = [body]

    async def replay() -> Message:
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        return await receive()

    return replay


async def refuse(error: Exception, scope: Scope, send: Send) -> None:
    """Answer a request before Django sees it; the line is closed where a body goes on coming over it."""
    from techtrack.core.api import problems  # noqa: PLC0415 - DRF can only be read once Django is set up

    given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
    status, named, body = problems.early(error, instance=scope["path"], given=given)
    said = dict(scope["headers"])
    if said.get(b"content-length", b"0") == b"0" and b"transfer-encoding" not in said:
        named = [(name, value) for name, value in named if name != "Connection"]
    method = scope["method"] if scope["method"] in METHODS else "other"
    REQUESTS.labels("refused", method, status).inc()
    headers = [(name.lower().encode(), value.encode()) for name, value in named]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
