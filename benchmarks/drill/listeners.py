"""Screens that stay open through a drill: clients of clients/python, who resume and must have heard all."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping
from typing import Any

from clients.python.techtrack_live import LiveClient

# A screen that lost its line must not wait long before it tries again: the outages of a drill are short.
LONGEST_WAIT = 2.0


class Screen:
    """One client: the numbers and events of alerts that it was told, and when it was not live."""

    def __init__(self, url: str, key: str, topics: list[str]) -> None:
        self.heard: list[tuple[int, int, str]] = []
        self.newest = -1.0
        self.resyncs = 0
        self.away: list[tuple[float, float]] = []
        self.is_live = threading.Event()
        self._lost_at: float | None = None
        self._client = LiveClient(
            url, topics=topics, key=key, on_state=self._note, longest_wait=LONGEST_WAIT, proxy=None
        )

    async def listen(self) -> None:
        """Hear all there is until cancelled."""
        async with self._client as live:
            async for frame in live:
                self._hear(frame)

    def _hear(self, frame: Mapping[str, Any]) -> None:
        if frame["type"] == "alert":
            self.heard.append((frame["sequence"], frame["alert"]["id"], frame["event"]))
        elif frame["type"] == "reading":
            self.newest = max(self.newest, frame["values"].get("number", -1.0))
        elif frame["type"] == "resync":
            self.resyncs += 1

    def _note(self, state: str) -> None:
        if state == "lost":
            self.is_live.clear()
            self._lost_at = self._lost_at or time.monotonic()
        elif state == "live":
            if self._lost_at is not None:
                self.away.append((self._lost_at, time.monotonic()))
                self._lost_at = None
            self.is_live.set()


class Screens(threading.Thread):
    """Several of them, in a thread of their own; ``close`` ends them."""

    def __init__(self, url: str, key: str, topics: list[list[str]]) -> None:
        super().__init__(name="screens", daemon=True)
        self.screens = [Screen(url, key, wanted) for wanted in topics]
        self.failure = ""
        self._loop = asyncio.new_event_loop()

    def run(self) -> None:
        """Listen."""
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._listen())
        except Exception as error:  # noqa: BLE001 - told by the verdict
            self.failure = f"a screen gave up: {type(error).__name__}: {error}"
        finally:
            # What keeps lines alive that broke goes with the loop.
            left = asyncio.all_tasks(self._loop)
            for task in left:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            self._loop.close()

    def close(self) -> None:
        """Hang up all of them."""
        if self.is_alive():
            self._loop.call_soon_threadsafe(self._task.cancel)
            self.join(20)

    @property
    def are_live(self) -> bool:
        """Whether all of them have heard what they missed."""
        return all(screen.is_live.is_set() for screen in self.screens)

    def longest_away(self, since: float, until: float) -> float:
        """Return the longest time in which one was not live, of those that began between two moments."""
        return max((b - a for screen in self.screens for a, b in screen.away if since <= a <= until), default=0.0)

    async def _listen(self) -> None:
        self._task = asyncio.ensure_future(asyncio.gather(*(screen.listen() for screen in self.screens)))
        try:
            await self._task
        except asyncio.CancelledError:
            return
