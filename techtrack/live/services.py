"""Writes numbered events in the transaction of what they tell, and forgets old ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from techtrack.core import events
from techtrack.core.keys import prove_keys
from techtrack.core.models import Head
from techtrack.live.events import EventRecorded
from techtrack.live.models import LiveEvent
from techtrack.live.queries import HEAD

KEPT = timedelta(hours=24)
WRITTEN_AT_ONCE = 500
FORGOTTEN_AT_ONCE = 5000


def record(*, topics: Iterable[str], payload: dict[str, Any], now: datetime) -> int:
    """Add an event of ``topics`` and return its sequence number; the caller's transaction carries it.

    Whoever gets it by several of them gets it once.
    """
    return record_all(told=[(topics, payload)], now=now)


def record_all(*, told: Sequence[tuple[Iterable[str], dict[str, Any]]], now: datetime) -> int:
    """Add events, as (topics, payload) in their order; return the sequence number of the last.

    From here to the commit nobody else can add one: make all payloads before.
    """
    # Now, and not at the commit: nobody may wait for a row, which may be going, while others wait for the head.
    prove_keys()
    numbers = Head.take_many(HEAD, len(told))
    rows = [
        LiveEvent(sequence=sequence, topics=" ".join(topics), payload=payload, created_at=now)
        for sequence, (topics, payload) in zip(numbers, told, strict=True)
    ]
    LiveEvent.objects.bulk_create(rows, batch_size=WRITTEN_AT_ONCE)
    events.publish(EventRecorded(sequence=numbers[-1]))
    return numbers[-1]


def rewrite(*, rows: Q, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Change what events say that can still be resumed from; in the transaction of the cause."""
    for event in LiveEvent.objects.filter(rows).iterator():
        LiveEvent.objects.filter(pk=event.pk).update(payload=change(event.payload))


def forget_old(*, now: datetime) -> int:
    """Delete a part of the events that no client can resume from any more; return how many."""
    old = LiveEvent.objects.filter(created_at__lt=now - KEPT).order_by("pk").values_list("pk", flat=True)
    # In parts: who writes waits for the whole of a statement, and a day has had millions.
    return LiveEvent.objects.filter(pk__in=list(old[:FORGOTTEN_AT_ONCE])).delete()[0]
