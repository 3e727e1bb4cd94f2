"""Where the hub gets its news: feeds that are read from a position on."""

from __future__ import annotations

from typing import Any, Protocol

from techtrack.live import queries
from techtrack.live.models import LiveEvent

AT_ONCE = 500

News = list[tuple[str, dict[str, Any]]]


class Feed(Protocol):
    """Rows with positions that become visible in order. Both methods read the database, in a thread."""

    def position(self) -> int:
        """Return the newest position."""

    def since(self, position: int) -> tuple[int, News]:
        """Return what came after ``position``, by topic and oldest first, and how far that reaches.

        The same body under two topics is one frame for a socket that has both.
        """


class LiveEventFeed:
    """The numbered events: alerts, tasks, whatever was recorded."""

    def position(self) -> int:
        return queries.newest_sequence()

    def since(self, position: int) -> tuple[int, News]:
        rows = queries.events_after(position, limit=AT_ONCE)
        return (rows[-1].sequence if rows else position), [(row.topic, body_of(row)) for row in rows]


def body_of(event: LiveEvent) -> dict[str, Any]:
    """Return the frame's members: the kind first, its number, and all that was recorded."""
    return {"type": event.payload["type"], "sequence": event.sequence, **event.payload}
