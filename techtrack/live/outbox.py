"""What waits to be sent to one socket: bounded, and for a slow reader the newest of each series."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable
from typing import Any, Self

import msgspec

CAPACITY = 1000


class Frame:
    """One message, encoded once however many sockets get it.

    A frame with a ``sequence`` is an event and is never dropped; one with a ``key`` is a state, of which a
    slow reader needs only the newest; one with neither answers this socket alone.
    """

    __slots__ = ("_text", "body", "key", "sequence")

    def __init__(self, body: dict[str, Any], *, key: Hashable = None, sequence: int | None = None) -> None:
        self.body = body
        self.key = key
        self.sequence = sequence
        self._text: str | None = None

    @classmethod
    def news(cls, body: dict[str, Any]) -> Self:
        """Make the frame of what a feed tells: an event if it has a number, else the state of an asset."""
        if "sequence" in body:
            return cls(body, sequence=body["sequence"])
        return cls(body, key=(body.get("type"), body.get("asset")))

    @property
    def text(self) -> str:
        """The frame as it goes over the wire."""
        if self._text is None:
            self._text = msgspec.json.encode(self.body).decode()
        return self._text

    def followed_by(self, newer: Frame) -> Frame:
        """Put ``newer`` over this one; of members that are objects (values by parameter) both sides stay."""
        merged = dict(self.body)
        for name, value in newer.body.items():
            old = merged.get(name)
            merged[name] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
        return Frame(merged, key=self.key)


class _Slot:
    __slots__ = ("frame",)

    def __init__(self, frame: Frame) -> None:
        self.frame = frame


class Outbox:
    """The queue of one socket, filled by the hub and emptied by the socket, both in the event loop."""

    def __init__(self, *, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._slots: deque[_Slot] = deque()
        self._newest: dict[Hashable, _Slot] = {}
        self._news = asyncio.Event()
        self.overflowed = asyncio.Event()

    def put(self, frame: Frame) -> None:
        """Queue ``frame``; past half the capacity states are merged, past all of it ``overflowed`` is set."""
        slot = self._newest.get(frame.key) if frame.key is not None else None
        if slot is not None and len(self._slots) > self._capacity // 2:
            slot.frame = slot.frame.followed_by(frame)
            return
        if len(self._slots) >= self._capacity:
            self.overflowed.set()
            return
        slot = _Slot(frame)
        self._slots.append(slot)
        if frame.key is not None:
            self._newest[frame.key] = slot
        self._news.set()

    async def take(self) -> Frame:
        """Return the frame that has waited longest, when there is one."""
        while not self._slots:
            self._news.clear()
            await self._news.wait()
        slot = self._slots.popleft()
        if slot.frame.key is not None and self._newest.get(slot.frame.key) is slot:
            del self._newest[slot.frame.key]
        return slot.frame
