"""The frames that tell of deliveries, as the document of the socket describes them."""

from __future__ import annotations

from typing import Literal, TypedDict

State = Literal["pending", "held", "merged", "sent", "dead"]


class DeliverySummary(TypedDict):
    """A message to a channel, and how far it has come; its text is not in it."""

    id: str
    channel: int
    alert: int | None
    site: int | None
    person: int | None
    event: str
    subject: str
    state: State
    attempts: int
    next_attempt_at: str
    error: str
    created_at: str
    sent_at: str | None


class DeliveryFrame(TypedDict):
    """A message was queued, sent, put off after a failure (``pending`` again), or given up (``dead``)."""

    type: Literal["delivery"]
    sequence: int
    event: State
    delivery: DeliverySummary


class DeliveriesShown(TypedDict):
    """The messages that wait or were given up, the newest first, at most 500."""

    deliveries: list[DeliverySummary]
