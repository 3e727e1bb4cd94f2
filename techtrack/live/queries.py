"""Reads of numbered events."""

from __future__ import annotations

from techtrack.core.models import Head
from techtrack.live.models import LiveEvent

HEAD = "live"
# Beyond this, a snapshot is cheaper for both sides than what was missed.
MOST_MISSED = 5000


def newest_sequence() -> int:
    """Return the number of the newest event; every one below it is visible too."""
    return Head.current(HEAD)


def events_after(sequence: int, *, limit: int) -> list[LiveEvent]:
    """Return the next events, oldest first."""
    return list(LiveEvent.objects.filter(sequence__gt=sequence).order_by("sequence")[:limit])


def missed(since: int, until: int) -> list[LiveEvent] | None:
    """Return the events after ``since`` up to ``until``; None where some of them are no longer kept."""
    if since == until:
        return []
    oldest = LiveEvent.objects.order_by("sequence").values_list("sequence", flat=True).first()
    # A number from the future belongs to another database: a restored one begins to count lower.
    if since > until or until - since > MOST_MISSED or oldest is None or since < oldest - 1:
        return None
    return [event for event in events_after(since, limit=until - since) if event.sequence <= until]
