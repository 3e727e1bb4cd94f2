"""What notifications announce."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DeliveriesQueued:
    """Messages about an alert wait in the outbox: wake what sends them."""

    alert_id: int
    count: int
