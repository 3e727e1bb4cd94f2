"""The WebSocket ``/ws/live/`` as an ASGI application: opens, listens, tells, and closes when it must."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import DatabaseError

from techtrack.accounts.domain.access import Access
from techtrack.core.errors import TechTrackError, Unauthenticated
from techtrack.live import subscribing
from techtrack.live.admission import NoCredentials, Places, Refused, Request, TooManySockets, introduced
from techtrack.live.hub import Hub, hub
from techtrack.live.messages import LARGEST, Authenticate, BadMessage, Message, Ping, Subscribe, Unsubscribe, read
from techtrack.live.minding import Minder
from techtrack.live.outbox import CAPACITY, SERIES, Frame, Outbox, Sender
from techtrack.live.subscriber import GONE, NOT_ALLOWED, TOO_LARGE, TRY_LATER, UNAVAILABLE, UNKNOWN, Closing, Subscriber
from techtrack.live.threads import in_thread

Event = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

SUBPROTOCOL = "techtrack.v1"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How often and how long, in seconds; how many frames a slow reader may leave lying."""

    patience: float = 10.0
    heartbeat: float = 20.0
    # The end of a session must be felt within 5 s, the time of asking included.
    recheck: float = 4.0
    goodbye: float = 5.0
    capacity: int = CAPACITY
    series: int = SERIES


class LiveSocket:
    """The ASGI application; every socket of a process shares one hub."""

    def __init__(self, hub: Hub, pace: Pace | None = None) -> None:
        self._hub = hub
        self._pace = pace or Pace(heartbeat=settings.LIVE_HEARTBEAT)
        self._places = Places()
        self._minder = Minder(hub, heartbeat=self._pace.heartbeat, recheck=self._pace.recheck)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (await receive())["type"] != "websocket.connect":
            return
        request = Request(scope)
        try:
            request.check()
        except Refused as error:
            await _turn_away(request, error, send)
            return
        await send({"type": "websocket.accept", "subprotocol": request.subprotocol(SUBPROTOCOL)})
        wire = _Wire(receive, send)
        closing = await self._serve(request, wire)
        await wire.close(closing, within=self._pace.goodbye)

    async def _serve(self, request: Request, wire: _Wire) -> Closing:
        try:
            with (
                self._places.one("here", of=settings.LIVE_SOCKETS),
                self._places.one(f"from {request.address}", of=settings.LIVE_SOCKETS_PER_ADDRESS),
            ):
                return await self._admit(request, wire)
        except TechTrackError as error:
            with contextlib.suppress(OSError):
                await wire.tell(_error(error))
            return Closing(_code_of(error), error.code)
        except DatabaseError:
            _log.exception("the database is away; the client is asked to come again")
            return UNAVAILABLE

    async def _admit(self, request: Request, wire: _Wire) -> Closing:
        access = await in_thread(request.access) or await self._introduction(wire)
        if access is None:
            return GONE
        with self._places.one(f"of {access.principal}", of=settings.LIVE_SOCKETS_PER_CALLER):
            return await self._talk(access, wire)

    async def _introduction(self, wire: _Wire) -> Access | None:
        """Wait for the first message, which must say who is calling; None when the client went away."""
        try:
            async with asyncio.timeout(self._pace.patience):
                text = await wire.hear()
        except TimeoutError:
            raise NoCredentials("nobody said in time who is calling") from None
        if text is None:
            return None
        message = read(text)[1] if isinstance(text, str) else None
        if not isinstance(message, Authenticate):
            raise NoCredentials("the first message must be authenticate")
        return await in_thread(introduced, message)

    async def _talk(self, access: Access, wire: _Wire) -> Closing:
        subscriber = Subscriber(access, Outbox(capacity=self._pace.capacity, series=self._pace.series))
        conversation = _Conversation(self._hub, subscriber, wire)
        try:
            await self._hub.join(subscriber)
            self._minder.begin()
            return await conversation.run()
        finally:
            self._hub.leave(subscriber)
            if not self._hub.members:
                self._minder.rest()


class _Wire:
    """The two ends that the server gives us."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send

    async def hear(self) -> str | bytes | None:
        """Return the next message, None when the client has gone."""
        event = await self._receive()
        if event["type"] == "websocket.disconnect":
            return None
        text: str | bytes | None = event.get("text")
        return event.get("bytes") or b"" if text is None else text

    def tell(self, frame: Frame) -> Awaitable[None]:
        """Send one frame, once awaited; waits while the client does not read.

        Raises:
            OSError: it has gone, which ``hear`` will say too.

        """
        return self._send(frame.message)

    async def close(self, closing: Closing, *, within: float) -> None:
        """Close, unless the client has gone or takes nothing any more."""
        if closing is GONE:
            return
        try:
            async with asyncio.timeout(within):
                await self._send({"type": "websocket.close", "code": closing.code, "reason": closing.reason})
        except (OSError, TimeoutError):
            _log.debug("the client went away before it could be told why")


class _Conversation:
    """One admitted socket: a task that listens, and one that sends what could not be sent at once."""

    def __init__(self, hub: Hub, subscriber: Subscriber, wire: _Wire) -> None:
        self._hub = hub
        self._subscriber = subscriber
        self._wire = wire

    async def run(self) -> Closing:
        """Return why it ended: the first of the tasks that ends says it."""
        sender = Sender(self._subscriber.outbox, self._wire.tell)
        parts = [self._listen(), self._send(sender), self._end()]
        tasks: list[asyncio.Task[Closing]] = [asyncio.create_task(part) for part in parts]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            sender.stop()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self) -> Closing:
        while (text := await self._wire.hear()) is not None:
            if len(text) > LARGEST or (isinstance(text, str) and len(text.encode("utf-8", "replace")) > LARGEST):
                return Closing(TOO_LARGE, f"a message has at most {LARGEST} bytes")
            await self._handle(text)
        return GONE

    async def _send(self, sender: Sender) -> Closing:
        try:
            await sender.run()
        except OSError:
            return GONE

    async def _end(self) -> Closing:
        await self._subscriber.ended.wait()
        return self._subscriber.closing or GONE

    async def _handle(self, text: str | bytes) -> None:
        if isinstance(text, bytes):
            self._subscriber.say(_error(BadMessage("messages are text, not binary")))
            return
        name, message = read(text)
        try:
            if isinstance(message, BadMessage):
                raise message
            await self._answer(message)
        except TechTrackError as error:
            self._subscriber.say(_error(error, name))

    async def _answer(self, message: Message) -> None:
        if isinstance(message, Subscribe):
            await subscribing.subscribe(self._hub, self._subscriber, message)
        elif isinstance(message, Unsubscribe):
            self._hub.unsubscribe(self._subscriber, message.topics)
            self._subscriber.say(_reply("unsubscribed", message.id))
        elif isinstance(message, Ping):
            self._subscriber.say(_reply("pong", message.id))
        else:
            raise BadMessage("this socket knows who is calling")


async def _turn_away(request: Request, error: Refused, send: Send) -> None:
    """Refuse the handshake itself: where the server can, with a whole answer, else with its own bare 403."""
    from techtrack.core.api import problems  # noqa: PLC0415 - DRF can only be read once Django is set up

    if not request.may_be_answered:
        await send({"type": "websocket.close", "code": NOT_ALLOWED, "reason": error.detail})
        return
    status, named, body = problems.early(error, instance=request.path, given=request.given_id)
    headers = [(name.lower().encode(), value.encode()) for name, value in named]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})


def _code_of(error: TechTrackError) -> int:
    if isinstance(error, TooManySockets):
        return TRY_LATER
    return UNKNOWN if isinstance(error, Unauthenticated) else NOT_ALLOWED


def _reply(kind: str, name: object) -> Frame:
    return Frame({"type": kind} if name is None else {"type": kind, "id": name})


def _error(error: TechTrackError, name: object = None) -> Frame:
    about = {} if name is None else {"id": name}
    return Frame({"type": "error", **about, "code": error.code, "detail": error.detail})


application = LiveSocket(hub)
