"""Writes numbered events in the transaction of what they tell, and forgets old ones."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from techtrack.core import events
from techtrack.core.models import Head
from techtrack.live.events import EventRecorded
from techtrack.live.models import LiveEvent
from techtrack.live.queries import HEAD

KEPT = timedelta(hours=24)


def record(*, topic: str, payload: dict[str, Any], now: datetime) -> int:
    """Add an event to ``topic`` and return its sequence number; the caller's transaction carries it."""
    sequence = Head.take(HEAD)
    LiveEvent.objects.create(sequence=sequence, topic=topic, payload=payload, created_at=now)
    events.publish(EventRecorded(sequence=sequence))
    return sequence


def forget_old(*, now: datetime) -> int:
    """Delete events that no client can resume from any more; return how many."""
    return LiveEvent.objects.filter(created_at__lt=now - KEPT).delete()[0]
