"""The WebSocket ``/ws/live/`` as an ASGI application: opens, listens, tells, and closes when it must."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError

from techtrack.accounts.domain.access import Access
from techtrack.accounts.queries import current_access
from techtrack.core import clock
from techtrack.core.errors import TechTrackError, Unauthenticated
from techtrack.live import subscribing
from techtrack.live.admission import NoCredentials, Refused, Request, introduced
from techtrack.live.hub import Hub, Subscriber, hub
from techtrack.live.messages import LARGEST, Authenticate, BadMessage, Message, Ping, Subscribe, Unsubscribe, read
from techtrack.live.outbox import CAPACITY, Frame, Outbox
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


@dataclass(frozen=True, slots=True)
class Closing:
    """Why a socket ends, in the numbers of RFC 6455; 4401 is ours: nobody knows (any more) who this is."""

    code: int
    reason: str


UNKNOWN = 4401
NOT_ALLOWED = 4403
TOO_LARGE = 1009
TRY_LATER = 1013
NORMAL = 1000
GONE = Closing(NORMAL, "")


class LiveSocket:
    """The ASGI application; every socket of a process shares one hub."""

    def __init__(self, hub: Hub, pace: Pace | None = None) -> None:
        self._hub = hub
        self._pace = pace or Pace()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (await receive())["type"] != "websocket.connect":
            return
        request = Request(scope)
        try:
            request.check()
        except Refused as error:
            # Before it is accepted, so that the server answers the handshake with 403.
            await send({"type": "websocket.close", "code": NOT_ALLOWED, "reason": error.detail})
            return
        await send({"type": "websocket.accept", "subprotocol": request.subprotocol(SUBPROTOCOL)})
        wire = _Wire(receive, send)
        closing = await self._serve(request, wire)
        await wire.close(closing, within=self._pace.goodbye)

    async def _serve(self, request: Request, wire: _Wire) -> Closing:
        try:
            access = await in_thread(request.access) or await self._introduction(wire)
            if access is None:
                return GONE
            return await self._talk(access, wire)
        except TechTrackError as error:
            with contextlib.suppress(OSError):
                await wire.tell(_error(error))
            return Closing(UNKNOWN if isinstance(error, Unauthenticated) else NOT_ALLOWED, error.code)
        except DatabaseError:
            _log.exception("the database is away; the client is asked to come again")
            return Closing(TRY_LATER, "unavailable")

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
        subscriber = Subscriber(access, Outbox(capacity=self._pace.capacity))
        conversation = _Conversation(self._hub, subscriber, wire, self._pace)
        try:
            await self._hub.join(subscriber)
            return await conversation.run()
        finally:
            self._hub.leave(subscriber)


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

    async def tell(self, frame: Frame) -> None:
        """Send one frame; waits while the client does not read.

        Raises:
            OSError: it has gone, which ``hear`` will say too.

        """
        await self._send({"type": "websocket.send", "text": frame.text})

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
    """One admitted socket: a task that listens, one that tells, one that minds the time and the rights."""

    def __init__(self, hub: Hub, subscriber: Subscriber, wire: _Wire, pace: Pace) -> None:
        self._hub = hub
        self._subscriber = subscriber
        self._outbox = subscriber.outbox
        self._wire = wire
        self._pace = pace

    async def run(self) -> Closing:
        """Return why it ended: the first of the tasks that ends says it."""
        parts = [self._listen(), self._tell(), self._beat(), self._mind(), self._overflow()]
        tasks: list[asyncio.Task[Closing]] = [asyncio.create_task(part) for part in parts]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self) -> Closing:
        while (text := await self._wire.hear()) is not None:
            if len(text) > LARGEST or (isinstance(text, str) and len(text.encode("utf-8", "replace")) > LARGEST):
                return Closing(TOO_LARGE, f"a message has at most {LARGEST} bytes")
            await self._handle(text)
        return GONE

    async def _tell(self) -> Closing:
        try:
            while True:
                await self._wire.tell(await self._outbox.take())
        except OSError:
            return GONE

    async def _overflow(self) -> Closing:
        await self._outbox.overflowed.wait()
        return Closing(TRY_LATER, "the client reads too slowly")

    async def _beat(self) -> Closing:
        while True:
            await asyncio.sleep(self._pace.heartbeat)
            self._outbox.put(Frame({"type": "heartbeat"}))

    async def _mind(self) -> Closing:
        """Look again and again whether the credential still opens anything, and what."""
        while True:
            await asyncio.sleep(self._pace.recheck)
            access = await in_thread(current_access, self._subscriber.access, clock.now())
            if access is None:
                return Closing(UNKNOWN, "session_ended")
            if access != self._subscriber.access:
                for name in await subscribing.narrow(self._hub, self._subscriber, access):
                    detail = f"you may no longer see {name!r}"
                    self._outbox.put(Frame({"type": "error", "code": "forbidden", "detail": detail}))

    async def _handle(self, text: str | bytes) -> None:
        if isinstance(text, bytes):
            self._outbox.put(_error(BadMessage("messages are text, not binary")))
            return
        name, message = read(text)
        try:
            if isinstance(message, BadMessage):
                raise message
            await self._answer(message)
        except TechTrackError as error:
            self._outbox.put(_error(error, name))

    async def _answer(self, message: Message) -> None:
        if isinstance(message, Subscribe):
            await subscribing.subscribe(self._hub, self._subscriber, message)
        elif isinstance(message, Unsubscribe):
            self._hub.unsubscribe(self._subscriber, message.topics)
            self._outbox.put(_reply("unsubscribed", message.id))
        elif isinstance(message, Ping):
            self._outbox.put(_reply("pong", message.id))
        else:
            raise BadMessage("this socket knows who is calling")


def _reply(kind: str, name: object) -> Frame:
    return Frame({"type": kind} if name is None else {"type": kind, "id": name})


def _error(error: TechTrackError, name: object = None) -> Frame:
    about = {} if name is None else {"id": name}
    return Frame({"type": "error", **about, "code": error.code, "detail": error.detail})


application = LiveSocket(hub)
