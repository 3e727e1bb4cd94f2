"""Follows the live socket of a TechTrack platform: comes back by itself, goes on where it was, tells nothing twice.

    async with LiveClient("https://plant.example.org", topics=["alerts"], key="…") as live:
        async for frame in live:
            print(frame)

It needs Python 3.11 and the package ``websockets``, and nothing else of TechTrack: copy this file to where you want it.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import random
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

PROTOCOL = Subprotocol("techtrack.v1")
SUBSCRIPTION = "techtrack_live"
# Closed with one of these it is over: the session has ended, the credentials are wrong or for something else.
FOREVER = {4401, 4403}
# Of HTTP: the same request will not do better later. 403 is what a foreign host name, origin or path gets.
HOPELESS = {400, 401, 403, 404}
# A snapshot holds hundreds of alerts and tasks.
LARGEST = 16 * 2**20

Frame = dict[str, Any]
Secret = str | Callable[[], str | Awaitable[str]]


class Refused(Exception):
    """The platform will not have us, now or later: ``code`` says why in a word, the message in a sentence."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class LiveClient:
    """The frames of some topics, one after the other, whatever happens to the connection.

    Frames are those of the socket: ``subscribed`` (with the snapshot, after each connection), ``reading``, ``alert``,
    ``task``, ``delivery``, and ``error`` where a role was taken away. After a ``resync`` what happened meanwhile is no
    longer kept: take the snapshot of the ``subscribed`` that follows.

    ``key`` is an API key; or ``token`` an access token, or ``ticket`` a single-use ticket, each best as a function that
    gets a new one whenever a connection is made (it may be async). ``since`` is the number of the last event that was
    handled: keep it to go on after a restart. ``on_state`` hears "connecting", "live" (all that was missed has been
    told) and "lost". ``heartbeat`` is that of the server: a line without a sign of life for 1.2 of them is given up.
    """

    def __init__(  # noqa: PLR0913 - all of them are named, and few are given
        self,
        url: str,
        *,
        topics: Sequence[str],
        key: str | None = None,
        token: Secret | None = None,
        ticket: Secret | None = None,
        since: int | None = None,
        on_state: Callable[[str], None] | None = None,
        heartbeat: float = 20.0,
        open_timeout: float = 10.0,
        first_wait: float = 0.5,
        longest_wait: float = 30.0,
        **options: Any,
    ) -> None:
        if sum(secret is not None for secret in (key, token, ticket)) != 1:
            raise ValueError("give one of key, token and ticket")
        self.url = address_of(url)
        self.topics = list(topics)
        self.since = since
        self._key, self._token, self._ticket = key, token, ticket
        self._on_state = on_state or _nothing
        self._heartbeat, self._open_timeout = heartbeat, open_timeout
        self._first_wait, self._longest_wait = first_wait, longest_wait
        self._options = options
        self._socket: ClientConnection | None = None
        self._failures = 0
        self._missed = self._until = 0
        self._subscribed = False
        self._refusal: Refused | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Frame:
        """Return the next frame; connects, and connects again, as often as it takes.

        Raises:
            Refused: it will never come.

        """
        while True:
            try:
                if self._socket is None:
                    # On a dead line an answer would never come.
                    async with asyncio.timeout(self._open_timeout):
                        self._socket = await self._open()
                frame: Frame = json.loads(await self._socket.recv())
            except (OSError, TimeoutError, InvalidURI, InvalidHandshake, ConnectionClosed) as error:
                _give_up_if_hopeless(error, self._refusal)
                await self._wait()
                continue
            if self._is_news(frame):
                return frame

    async def close(self) -> None:
        """Hang up; the next frame would connect again and go on from here."""
        socket, self._socket = self._socket, None
        if socket is not None:
            await socket.close()

    async def _open(self) -> ClientConnection:
        self._on_state("connecting")
        self._subscribed, self._refusal = False, None
        socket = await connect(
            self.url,
            subprotocols=[PROTOCOL],
            additional_headers=await self._header(),
            max_size=LARGEST,
            ping_interval=self._heartbeat * 0.55,
            ping_timeout=self._heartbeat * 0.5,
            close_timeout=self._heartbeat * 0.1,
            **self._options,
        )
        if self._ticket is not None:
            await socket.send(json.dumps({"type": "authenticate", "ticket": await _said(self._ticket)}))
        since = {} if self.since is None else {"since": self.since}
        await socket.send(json.dumps({"type": "subscribe", "id": SUBSCRIPTION, "topics": self.topics, **since}))
        return socket

    async def _header(self) -> dict[str, str]:
        if self._key is not None:
            return {"Authorization": f"Api-Key {self._key}"}
        return {} if self._token is None else {"Authorization": f"Bearer {await _said(self._token)}"}

    async def _wait(self) -> None:
        self._on_state("lost")
        await self.close()
        wait = min(self._longest_wait, self._first_wait * 2**self._failures)
        self._failures += 1
        # Half of it is chance: after an outage a hundred clients do not come back in the same moment.
        await asyncio.sleep(wait * random.uniform(0.5, 1))  # noqa: S311 - no secret

    def _is_news(self, frame: Frame) -> bool:
        """Tell whether the frame is for the caller, and note how far it has come."""
        if frame["type"] == "subscribed":
            self._resume(frame)
        elif frame["type"] == "resync":
            self.since = None
        elif frame["type"] == "error" and not self._subscribed:
            # Of the subscription, or of who we are: then the socket is closed next, for good or for a while.
            self._refusal = Refused(frame["code"], frame["detail"])
            if frame.get("id") == SUBSCRIPTION:
                raise self._refusal
            return False
        elif "sequence" in frame:
            return self._is_new(frame["sequence"])
        return frame["type"] not in {"heartbeat", "pong"}

    def _resume(self, frame: Frame) -> None:
        self._failures, self._subscribed = 0, True
        self._until = frame["sequence"]
        # Until what was missed has been told, a new connection must begin before it.
        self._missed = frame.get("missed", 0)
        if not self._missed:
            self._caught_up()

    def _is_new(self, sequence: int) -> bool:
        if self.since is not None and sequence <= self.since:
            return False
        self.since = sequence
        if self._missed:
            self._missed -= 1
            if not self._missed:
                self._caught_up()
        return True

    def _caught_up(self) -> None:
        self.since = max(self.since or 0, self._until)
        self._on_state("live")


def address_of(url: str) -> str:
    """Return the address of the socket of a platform, from that or from the address of its pages."""
    address = re.sub(r"^http", "ws", url)
    return address if "/ws/live" in address else f"{address.rstrip('/')}/ws/live/"


async def _said(secret: Secret) -> str:
    told = secret if isinstance(secret, str) else secret()
    return await told if inspect.isawaitable(told) else told


def _nothing(state: str) -> None:
    pass


def _give_up_if_hopeless(error: Exception, refusal: Refused | None) -> None:
    if isinstance(error, InvalidURI):
        raise Refused("bad_address", str(error)) from error
    if isinstance(error, InvalidStatus) and error.response.status_code in HOPELESS:
        raise Refused("not_opened", f"the platform answered {error.response.status_code}") from error
    if isinstance(error, ConnectionClosed) and error.rcvd is not None and error.rcvd.code in FOREVER:
        raise refusal or Refused(error.rcvd.reason, f"the platform has closed: {error.rcvd.reason}") from error
