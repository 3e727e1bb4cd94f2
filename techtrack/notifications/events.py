"""What notifications announce."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class NoticesWritten:
    """What happened to an alert is to be told, by so many routes: wake what tells people."""

    alert_id: int
    count: int


@dataclass(frozen=True, slots=True)
class DeliveriesQueued:
    """Messages wait in the outbox: wake what sends them."""

    count: int


@dataclass(frozen=True, slots=True)
class DeliveryChanged:
    """A message was queued, sent, put off or given up, in this transaction; ``site_id`` None: it is of no site."""

    delivery_id: UUID
    site_id: int | None
    state: str
