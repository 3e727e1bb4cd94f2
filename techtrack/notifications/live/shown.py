"""What open sockets are shown of deliveries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from techtrack.accounts.domain.access import Access
from techtrack.core.clock import isoformat
from techtrack.notifications.events import DeliveryChanged
from techtrack.notifications.models import LETTER, Delivery, DeliveryQuerySet, DeliveryState

MOST_SHOWN = 500
OVER = (DeliveryState.SENT, DeliveryState.MERGED)


def summaries(ids: Iterable[UUID]) -> dict[UUID, dict[str, Any]]:
    """Return deliveries as subscribers get them, by their ids; letters about accounts are shown to nobody."""
    return {delivery.pk: _summary(delivery) for delivery in _told(Delivery.objects.filter(pk__in=ids))}


def of_deliveries(facts: Sequence[DeliveryChanged]) -> list[tuple[list[str], dict[str, Any]]]:
    """What became of deliveries, by the topics of those who may see them; letters are nobody's news."""
    known = summaries(fact.delivery_id for fact in facts)
    told = [(fact, known[fact.delivery_id]) for fact in facts if fact.delivery_id in known]
    return [
        (_topics(fact, delivery), {"type": "delivery", "event": fact.state, "delivery": delivery})
        for fact, delivery in told
    ]


def unsent_summaries(access: Access, *, site_id: int | None = None, user_id: int | None = None) -> list[dict[str, Any]]:
    """Return what a caller may see of what waits or was given up, newest first: of a site (0: of none), to a person."""
    rows = Delivery.objects.visible_to(access).exclude(state__in=OVER)
    if site_id is not None:
        rows = rows.filter(site=site_id or None)
    if user_id is not None:
        rows = rows.filter(person=user_id)
    return [_summary(delivery) for delivery in _told(rows)[:MOST_SHOWN]]


def _topics(fact: DeliveryChanged, delivery: dict[str, Any]) -> list[str]:
    own = [] if delivery["person"] is None else [f"users/{delivery['person']}/deliveries"]
    return [f"sites/{fact.site_id or 0}/deliveries", *own]


def _told(rows: DeliveryQuerySet) -> QuerySet[Delivery]:
    return rows.exclude(event=LETTER).defer("body", "facts")


def _summary(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": str(delivery.pk),
        "channel": delivery.channel_id,
        "alert": delivery.alert_id,
        "site": delivery.site_id,
        "person": delivery.person_id,
        "event": delivery.event,
        "subject": delivery.subject,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "next_attempt_at": isoformat(delivery.next_attempt_at),
        "error": delivery.error,
        "created_at": isoformat(delivery.created_at),
        "sent_at": isoformat(delivery.sent_at) if delivery.sent_at else None,
    }
