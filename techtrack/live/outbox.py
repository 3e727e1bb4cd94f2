"""What waits to be sent to one socket, bounded, and of each series only the newest; and how it gets onto the wire."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Generator, Hashable
from functools import cached_property
from types import coroutine
from typing import Any, NoReturn

import msgspec

# Events and answers, which are never merged nor dropped; and series, of which each takes one place.
CAPACITY = 1000
SERIES = 10_000
# Frames after which other work of the event loop has its turn.
TURN = 100


class Frame:
    """One message, encoded once however many sockets get it.

    A frame with a ``sequence`` is an event and is never dropped; one with a ``key`` is the state of a series, of
    which a slow reader needs only the newest (``at`` says which of two is); one with neither answers this socket
    alone.
    """

    def __init__(self, body: dict[str, Any], *, key: Hashable = None, at: int = 0, sequence: int | None = None) -> None:
        self.body = body
        self.key = key
        self.at = at
        self.sequence = sequence

    @cached_property
    def message(self) -> dict[str, Any]:
        """The frame as it goes to the server, and over the wire."""
        return {"type": "websocket.send", "text": msgspec.json.encode(self.body).decode()}

    def followed_by(self, other: Frame) -> Frame:
        """Lay the newer of the two over the older; of members that are objects (values by parameter) both stay."""
        old, new = (self, other) if other.at >= self.at else (other, self)
        merged = dict(old.body)
        for name, value in new.body.items():
            before = merged.get(name)
            merged[name] = {**before, **value} if isinstance(before, dict) and isinstance(value, dict) else value
        return Frame(merged, key=self.key, at=new.at)


class _Slot:
    __slots__ = ("frame",)

    def __init__(self, frame: Frame) -> None:
        self.frame = frame


class Outbox:
    """The queue of one socket, all in the event loop.

    ``at_once``, if the socket sets it, is offered every frame that need not wait behind another one, and returns
    False for one that must be queued.
    """

    def __init__(self, *, capacity: int = CAPACITY, series: int = SERIES) -> None:
        self.at_once: Callable[[Frame], bool] | None = None
        self._capacity = capacity
        self._series = series
        self._slots: deque[_Slot] = deque()
        self._newest: dict[Hashable, _Slot] = {}

    def __len__(self) -> int:
        return len(self._slots)

    def put(self, frame: Frame) -> bool:
        """Send or queue ``frame``, over a waiting one of its series if there is one; False where it is full."""
        if not self._slots and self.at_once is not None and self.at_once(frame):
            return True
        if frame.key is None:
            return self._queue(frame, room=len(self._slots) - len(self._newest) < self._capacity)
        if slot := self._newest.get(frame.key):
            slot.frame = slot.frame.followed_by(frame)
            return True
        return self._queue(frame, room=len(self._newest) < self._series)

    def pop(self) -> Frame | None:
        """Return the frame that has waited longest, None where none waits."""
        if not self._slots:
            return None
        frame = self._slots.popleft().frame
        if frame.key is not None:
            del self._newest[frame.key]
        return frame

    def _queue(self, frame: Frame, *, room: bool) -> bool:
        if room:
            slot = _Slot(frame)
            self._slots.append(slot)
            if frame.key is not None:
                self._newest[frame.key] = slot
        return room


class Sender:
    """Sends the frames of one outbox through ``tell``, in order.

    A coroutine that has nothing to wait for is over at its first step, so that is taken where the frame is put:
    waking a task for each of a thousand sockets would cost as much again. A coroutine that waits, because the
    client's buffers are full, is handed to the task in ``run``, and frames queue until it is through.
    """

    def __init__(self, outbox: Outbox, tell: Callable[[Frame], Awaitable[None]]) -> None:
        self._outbox = outbox
        self._tell = tell
        self._begun: Awaitable[None] | None = None
        self._failure: Exception | None = None
        self._busy = False
        self._waits = asyncio.Event()
        outbox.at_once = self._send_at_once

    async def run(self) -> NoReturn:
        """Finish what could not be finished at once, again and again.

        Raises:
            OSError: the client has gone.

        """
        while True:
            await self._waits.wait()
            if self._failure is not None:
                raise self._failure
            if self._begun is not None:
                await self._begun
            count = 0
            while frame := self._outbox.pop():
                await self._tell(frame)
                count += 1
                if count % TURN == 0:
                    await asyncio.sleep(0)
            self._begun = None
            self._busy = False
            self._waits.clear()

    def stop(self) -> None:
        """Send nothing any more."""
        self._outbox.at_once = _swallow

    def _send_at_once(self, frame: Frame) -> bool:
        if self._busy:
            return False
        sending = self._tell(frame).__await__()
        try:
            awaited = next(sending)
        except StopIteration:
            return True
        except Exception as error:  # noqa: BLE001 - whatever it is: it is this socket's, not that of whoever puts frames
            self._failure = error
        else:
            self._begun = _rest(sending, awaited)
        self._busy = True
        self._waits.set()
        return True


@coroutine
def _rest(begun: Generator[Any, Any, None], awaited: Any) -> Generator[Any, Any, None]:
    """Go on with what has been stepped once and waits for ``awaited``."""
    yield awaited
    yield from begun


def _swallow(frame: Frame) -> bool:
    return True
