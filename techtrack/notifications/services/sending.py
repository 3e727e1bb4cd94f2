"""Writes of sending: who sends which message, how that went, and what is tried again."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from techtrack.accounts.domain.access import Access, Role
from techtrack.core import events
from techtrack.core.errors import Conflict
from techtrack.notifications import queries
from techtrack.notifications.domain.retry import next_delay, pause
from techtrack.notifications.events import DeliveriesQueued, DeliveryChanged
from techtrack.notifications.models import Channel, Delivery, DeliveryQuerySet, DeliveryState

LEASE = timedelta(seconds=60)
LONGEST_ERROR = 1000
# How exactly a channel knows when it last worked; a write for each message would cost as much as the message.
LAST_SENT_GRAIN = timedelta(minutes=1)
MOST_RETRIED = 10_000


class NotDead(Conflict):
    """Only what was given up is tried again; the rest is tried by itself, or was sent."""

    code = "delivery_not_dead"


@transaction.atomic
def claim_next(*, channel_id: int, now: datetime) -> Delivery | None:
    """Take the delivery of a channel that is due the longest, for LEASE; None when nothing is due.

    The attempt counts from here, so that a message which kills its sender cannot do so for ever.
    """
    rows = queries.due(now).filter(channel=channel_id).select_related("channel")
    # What another sender looks at just now is passed over: nobody waits for the other.
    delivery = rows.select_for_update(skip_locked=True, of=("self",)).first()
    if delivery is not None:
        delivery.lease_until, delivery.attempts = now + LEASE, delivery.attempts + 1
        delivery.save(update_fields=["lease_until", "attempts"])
    return delivery


@transaction.atomic
def record_sent(*, delivery: Delivery, now: datetime) -> None:
    """Note that the other side has taken the message: a fact, whoever holds the lease by now."""
    if _note_sent(delivery, now):
        announce(delivery, DeliveryState.SENT)


@transaction.atomic
def record_sent_and_claim(*, delivery: Delivery, now: datetime) -> Delivery | None:
    """Note that a message was taken, and take the next of its channel: one commit instead of two."""
    noted = _note_sent(delivery, now)
    following = claim_next(channel_id=delivery.channel_id, now=now)
    if noted:
        announce(delivery, DeliveryState.SENT)
    return following


@transaction.atomic
def record_failure(*, delivery: Delivery, error: str, retry: bool, now: datetime, chance: float) -> None:
    """Note a failed attempt and when to try again, or that it is given up; ``chance`` in [0, 1) is the jitter.

    The whole channel rests meanwhile: the next message would meet the same server.
    """
    age = now - delivery.created_at
    delay = next_delay(delivery.attempts, age=age, retry=retry, chance=chance)
    outcome: dict[str, Any] = {"state": DeliveryState.DEAD} if delay is None else {"next_attempt_at": now + delay}
    channel = Channel.objects.select_for_update(no_key=True).filter(pk=delivery.channel_id).first()
    # Whose lease has run out leaves the row to the one who took it over.
    mine = Delivery.objects.filter(pk=delivery.pk, state=DeliveryState.PENDING, lease_until=delivery.lease_until)
    if channel and mine.update(**outcome, lease_until=None, error=error[:LONGEST_ERROR]):
        channel.failing_since = channel.failing_since or now
        channel.error, channel.failures = error[:LONGEST_ERROR], channel.failures + 1
        channel.retry_at = now + pause(channel.failures, chance=chance)
        channel.save(update_fields=["failing_since", "error", "failures", "retry_at"])
        announce(delivery, outcome.get("state", DeliveryState.PENDING))


@transaction.atomic
def retry_delivery(*, delivery: Delivery, by: Access, now: datetime) -> Delivery:
    """Try a message again that was given up, under the id that it had; an operator at its site may.

    Raises:
        NotDead: it was not given up.
    """
    if delivery.person_id is None or delivery.person_id != by.user_id:
        by.require(Role.OPERATOR, delivery.site_id)
    if not _revive(Delivery.objects.filter(pk=delivery.pk), now):
        raise NotDead(f"the delivery is {delivery.state}: only what was given up is tried again")
    delivery.refresh_from_db()
    announce(delivery, DeliveryState.PENDING)
    return delivery


@transaction.atomic
def retry_deliveries(*, rows: DeliveryQuerySet, by: Access, now: datetime) -> int:
    """Try again what was given up among ``rows``, as far as ``by`` may; return how many (MOST_RETRIED at once)."""
    dead = rows.visible_to(by).filter(state=DeliveryState.DEAD).defer("body", "facts")
    found = list(dead.order_by("created_at", "pk")[:MOST_RETRIED])
    count = _revive(Delivery.objects.filter(pk__in=[delivery.pk for delivery in found]), now)
    announce_all(found, DeliveryState.PENDING)
    return count


def announce(delivery: Delivery, state: str) -> None:
    """Tell whoever watches how far a message is. Last in a transaction: live events are numbered under a lock."""
    announce_all([delivery], state)


def announce_all(deliveries: Iterable[Delivery], state: str = "") -> None:
    """Tell the same of several, each in ``state`` or as it is: however many they are, the lock is held but shortly."""
    events.publish_all(DeliveryChanged(one.pk, one.site_id, state or one.state) for one in deliveries)


def _revive(rows: DeliveryQuerySet, now: datetime) -> int:
    dead = rows.filter(state=DeliveryState.DEAD)
    channels = list(dead.order_by().values_list("channel", flat=True).distinct())
    again = {"state": DeliveryState.PENDING, "attempts": 0, "next_attempt_at": now, "lease_until": None}
    # Whoever asks for it has mended something: the channel is tried at once.
    Channel.objects.filter(pk__in=channels).update(failures=0, retry_at=None)
    count = dead.update(**again)
    if count:
        events.publish(DeliveriesQueued(count=count))
    return count


def _note_sent(delivery: Delivery, now: datetime) -> int:
    # The channel before its messages, as who switches it off or deletes it locks them.
    news = Q(failing_since__isnull=False) | Q(last_sent_at=None) | Q(last_sent_at__lte=now - LAST_SENT_GRAIN)
    works = {"last_sent_at": now, "failing_since": None, "error": "", "failures": 0, "retry_at": None}
    Channel.objects.filter(news, pk=delivery.channel_id).update(**works)
    rows = Delivery.objects.filter(pk=delivery.pk)
    return rows.update(state=DeliveryState.SENT, sent_at=now, lease_until=None, error="")
