"""Reads of the log and of how far each consumer has come."""

from __future__ import annotations

from techtrack.telemetry.models import LogConsumer
from techtrack.telemetry.store.base import LogEntry
from techtrack.telemetry.store.database import store
from techtrack.telemetry.store.segments import LANE


def log(*, after: int, limit: int) -> list[LogEntry]:
    """Return the entries of the log behind a position, in order."""
    return store.log(after=after, limit=limit)


def head() -> int:
    """Return the position of the newest entry of the log."""
    return store.head()


def consumed(name: str) -> int | None:
    """Return how far a consumer has read the log, None for one that never began."""
    return LogConsumer.objects.filter(name=name, lane=LANE).values_list("position", flat=True).first()
