"""The body of a request: taken whole, in time, and only while there is room for it."""

from __future__ import annotations

import asyncio
from typing import Any, Self

from django.core.exceptions import RequestDataTooBig

from techtrack.core.api.native import Gone, Receive
from techtrack.core.errors import TooSlow, Unavailable

# What a request costs besides its body.
OVERHEAD = 1024


class Saturated(Unavailable):
    """So much waits to be committed that no more is taken in."""

    code = "saturated"

    def __init__(self) -> None:
        super().__init__("more readings arrive than can be committed; try again", retry_after=1)


class Room:
    """How many bytes of bodies may be in the house at once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.taken = 0

    def place(self, size: int) -> Place:
        """Hold room for ``size`` bytes, to be left by ``with``.

        Raises:
            Saturated: there is none.
        """
        place = Place(self)
        place.take(size + OVERHEAD)
        return place

    def has(self, size: int) -> bool:
        """Tell whether so many bytes may come in; into the empty house anything may."""
        return not self.taken or self.taken + size <= self._most


class Place:
    """The room that one request has taken, until the end of the ``with`` that it is used in."""

    __slots__ = ("_room", "size")

    def __init__(self, room: Room) -> None:
        self._room = room
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._room.taken -= self.size

    def take(self, size: int) -> None:
        """Take so many bytes more; raises Saturated."""
        if not self._room.has(size):
            raise Saturated
        self._room.taken += size
        self.size += size


class Patience:
    """Ends what waits for longer than ``seconds``, with one timer for all.

    A timer for each costs a quarter of what all else about a single reading does. What is waited for is there at
    once, nearly always; and who comes first is due first.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._due: dict[asyncio.Task[Any], float] = {}
        self._ended: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self, task: asyncio.Task[Any]) -> None:
        """From now on ``task`` waits."""
        loop = task.get_loop()
        self._due[task] = loop.time() + self.seconds
        if self._timer is None or self._loop is not loop:
            self._loop, self._timer = loop, loop.call_later(self.seconds, self._look, loop)

    def end(self, task: asyncio.Task[Any]) -> bool:
        """Say that ``task`` waits no longer; tell whether it was cancelled for its time being over."""
        self._due.pop(task, None)
        if task not in self._ended:
            return False
        self._ended.remove(task)
        return task.uncancel() == 0

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now, self._timer = loop.time(), None
        for task, due in list(self._due.items()):
            if due > now:
                self._timer = loop.call_at(due, self._look, loop)
                break
            del self._due[task]
            self._ended.add(task)
            task.cancel()


async def read_body(receive: Receive, place: Place, *, most: int, patience: Patience) -> bytes:
    """Return the whole body.

    Raises:
        Gone: it was cut off.
        RequestDataTooBig: it is longer than ``most`` bytes.
        Saturated: it is longer than was declared, and there is no room for the rest.
        TooSlow: it took longer than ``patience`` has.
    """
    task: Any = asyncio.current_task()
    patience.begin(task)
    try:
        parts: list[bytes] = []
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Gone
            part, more = message.get("body", b""), message.get("more_body", False)
            size += len(part)
            if size > most:
                raise RequestDataTooBig
            if size + OVERHEAD > place.size:
                place.take(size + OVERHEAD - place.size)
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)
    except asyncio.CancelledError:
        if patience.end(task):
            raise TooSlow(f"the body was not complete after {patience.seconds:g} seconds") from None
        raise
    finally:
        patience.end(task)
