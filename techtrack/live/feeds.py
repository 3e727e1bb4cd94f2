"""Where the hub gets its news: feeds that are read from a position on."""

from __future__ import annotations

from typing import Any, Protocol

from techtrack.live import queries
from techtrack.live.models import LiveEvent
from techtrack.live.outbox import Frame
from techtrack.live.pacing import News

AT_ONCE = 500


class Feed(Protocol):
    """Rows with positions that become visible in order. Both methods read the database, in a thread."""

    def position(self) -> int:
        """Return the newest position."""

    def since(self, position: int, wanted: frozenset[str]) -> tuple[int, News]:
        """Return how far it has read, and what came after ``position``: frames and their topics, oldest first.

        ``wanted`` are the topics that somebody in this process has subscribed to; of a topic that gathers others
        their pattern is in it too. What is for none of them may be left out.
        """


class LiveEventFeed:
    """The numbered events: alerts, tasks, whatever was recorded."""

    def position(self) -> int:
        return queries.newest_sequence()

    def since(self, position: int, wanted: frozenset[str]) -> tuple[int, News]:
        # Readings wake the hub far more often than events do, and the number alone costs a quarter of the question.
        if queries.newest_sequence() == position:
            return position, []
        rows = queries.events_after(position, limit=AT_ONCE)
        news: News = [(tuple(row.topics.split()), Frame(body_of(row), sequence=row.sequence)) for row in rows]
        return (rows[-1].sequence if rows else position), news


def body_of(event: LiveEvent) -> dict[str, Any]:
    """Return the frame's members: the kind first, its number, and all that was recorded."""
    return {"type": event.payload["type"], "sequence": event.sequence, **event.payload}
