"""A WebSocket client that talks to an ASGI application in the same event loop, without a network."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Self

HOST = (b"host", b"testserver")


class Closed(Exception):
    """The server has closed the socket."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Client:
    """One socket. ``reads`` cleared makes the server wait with its next frame, as a full network buffer does."""

    def __init__(self, application: Any, *headers: tuple[bytes, bytes], **scope: Any) -> None:
        self.reads = asyncio.Event()
        self.reads.set()
        self.subprotocol: str | None = None
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._scope = {
            "type": "websocket",
            "path": "/ws/live/",
            "scheme": "ws",
            "query_string": b"",
            "headers": [HOST, *headers],
            "client": ("127.0.0.1", 5000),
            "subprotocols": [],
            **scope,
        }
        self._task = asyncio.create_task(application(self._scope, self._incoming.get, self._send))

    async def __aenter__(self) -> Self:
        self._incoming.put_nowait({"type": "websocket.connect"})
        opened = await self._next()
        if opened["type"] == "websocket.close":
            await self._task
            raise Closed(opened["code"])
        self.subprotocol = opened["subprotocol"]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.reads.set()
        self._incoming.put_nowait({"type": "websocket.disconnect", "code": 1000})
        async with asyncio.timeout(10):
            await self._task

    def say(self, message: Any = None, **fields: Any) -> None:
        """Send a message: text as it is, anything else as JSON."""
        text = message if isinstance(message, str) else json.dumps(message or fields)
        self._incoming.put_nowait({"type": "websocket.receive", "text": text})

    def say_bytes(self, data: bytes) -> None:
        """Send a binary message."""
        self._incoming.put_nowait({"type": "websocket.receive", "bytes": data})

    async def hear(self, kind: str | None = None) -> dict[str, Any]:
        """Return the next message, heartbeats passed over; with ``kind``, it must be of that kind."""
        message = {"type": "heartbeat"}
        async with asyncio.timeout(10):
            while message["type"] == "heartbeat" != kind:
                event = await self._next()
                if event["type"] == "websocket.close":
                    raise Closed(event["code"])
                message = json.loads(event["text"])
        assert kind in {None, message["type"]}, message
        return message

    async def ask(self, **fields: Any) -> dict[str, Any]:
        """Send a message and return the answer."""
        self.say(**fields)
        return await self.hear()

    async def quiet(self, seconds: float = 0.3) -> bool:
        """Tell whether nothing comes for some time."""
        try:
            async with asyncio.timeout(seconds):
                await self.hear()
        except TimeoutError:
            return True
        return False

    async def closing(self) -> int:
        """Return the code with which the server closes, whatever it says before."""
        try:
            while True:
                await self.hear()
        except Closed as closed:
            return closed.code

    async def _next(self) -> dict[str, Any]:
        waiting = asyncio.create_task(self._sent.get())
        try:
            await asyncio.wait({waiting, self._task}, return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                return waiting.result()
        finally:
            waiting.cancel()
        self._task.result()
        raise Closed(1006)

    async def _send(self, event: dict[str, Any]) -> None:
        if event["type"] == "websocket.send":
            await self.reads.wait()
        self._sent.put_nowait(event)
