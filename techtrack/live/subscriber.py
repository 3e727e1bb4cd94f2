"""One socket as the hub sees it: what it may see, what it has subscribed to, what waits for it, and why it ends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from techtrack.accounts.domain.access import Access
from techtrack.live.outbox import Frame, Outbox

# Why a socket ends, in the numbers of RFC 6455; 4401 and 4403 are ours.
NORMAL = 1000
TOO_LARGE = 1009
TRY_LATER = 1013
# Nobody knows, or knows any more, who this is.
UNKNOWN = 4401
NOT_ALLOWED = 4403


@dataclass(frozen=True, slots=True)
class Closing:
    """The number and the words of a close frame."""

    code: int
    reason: str


GONE = Closing(NORMAL, "")
TOO_SLOW = Closing(TRY_LATER, "the client reads too slowly")
UNAVAILABLE = Closing(TRY_LATER, "unavailable")
ENDED = Closing(UNKNOWN, "session_ended")


class Subscriber:
    """A socket's rights, topics and outbox; belongs to the event loop."""

    def __init__(self, access: Access, outbox: Outbox) -> None:
        self.access = access
        self.outbox = outbox
        self.names: set[str] = set()
        self.may_see: dict[str, bool] = {}
        # By topic the number that its snapshot holds: events up to it are not told again.
        self.floors: dict[str, int] = {}
        self.ended = asyncio.Event()
        self.closing: Closing | None = None
        self._awaited: frozenset[str] = frozenset()
        self._held: list[tuple[str, Frame]] = []
        self._told: set[Frame] = set()
        self._last: Frame | None = None

    def say(self, frame: Frame) -> None:
        """Send or queue a frame; a client that leaves too much lying is closed."""
        if not self.outbox.put(frame):
            self.end(TOO_SLOW)

    def end(self, closing: Closing) -> None:
        """Let the socket end; the first reason counts."""
        if self.closing is None:
            self.closing = closing
            self.ended.set()

    def offer(self, name: str, frame: Frame) -> None:
        """Pass on a frame of topic ``name`` once, whatever number of its topics it belongs to."""
        if frame is self._last:
            return
        if name in self._awaited:
            self._held.append((name, frame))
        elif frame.sequence is None or frame.sequence > self.floors.get(name, 0):
            self._last = frame
            # As ``say`` does; this is where every delivery passes.
            if not self.outbox.put(frame):
                self.end(TOO_SLOW)
            if self._awaited:
                self._told.add(frame)

    def expect(self, names: frozenset[str]) -> None:
        """Hold the frames of ``names`` back until their snapshot has been read."""
        self._awaited = names

    def begin(self, first: list[Frame], sequence: int) -> None:
        """Send ``first``, which tells all up to ``sequence``, then what was held back and is not in it."""
        for frame in first:
            self.say(frame)
        self.floors |= dict.fromkeys(self._awaited, sequence)
        self.settle()

    def settle(self) -> None:
        """Hold nothing back any more: of topics that are not subscribed it is dropped."""
        held, told = self._held, self._told
        self._awaited, self._held, self._told = frozenset(), [], set()
        for name, frame in held:
            if name not in self.floors or frame in told:
                continue
            if frame.sequence is None or frame.sequence > self.floors[name]:
                told.add(frame)
                self.say(frame)
