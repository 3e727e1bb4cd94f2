"""Writes numbered events in the transaction of what they tell, and forgets old ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from techtrack.core import events
from techtrack.core.models import Head
from techtrack.live.events import EventRecorded
from techtrack.live.models import LiveEvent
from techtrack.live.queries import HEAD

KEPT = timedelta(hours=24)
WRITTEN_AT_ONCE = 500


def record(*, topics: Iterable[str], payload: dict[str, Any], now: datetime) -> int:
    """Add an event of ``topics`` and return its sequence number; the caller's transaction carries it.

    Whoever gets it by several of them gets it once.
    """
    return record_all(told=[(topics, payload)], now=now)


def record_all(*, told: Sequence[tuple[Iterable[str], dict[str, Any]]], now: datetime) -> int:
    """Add events, as (topics, payload) in their order; return the sequence number of the last.

    From here to the commit nobody else can add one: make all payloads before.
    """
    numbers = Head.take_many(HEAD, len(told))
    rows = [
        LiveEvent(sequence=sequence, topics=" ".join(topics), payload=payload, created_at=now)
        for sequence, (topics, payload) in zip(numbers, told, strict=True)
    ]
    LiveEvent.objects.bulk_create(rows, batch_size=WRITTEN_AT_ONCE)
    events.publish(EventRecorded(sequence=numbers[-1]))
    return numbers[-1]


def forget_old(*, now: datetime) -> int:
    """Delete events that no client can resume from any more; return how many."""
    return LiveEvent.objects.filter(created_at__lt=now - KEPT).delete()[0]
