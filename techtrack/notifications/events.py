"""What notifications announce."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
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


@dataclass(frozen=True, slots=True)
class LetterAsked:
    """A question: what does a letter of this kind, ``about`` that, say to this person now? Asked when it is sent.

    The answer is a pair of subject and text; none where there is nothing to say to that person any more.
    """

    kind: str
    user_id: int
    about: Mapping[str, Any]
