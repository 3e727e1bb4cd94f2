"""Writes of sending: who sends which message, how that went, and what is tried again."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from techtrack.accounts.domain.access import Access, Role
from techtrack.core import events
from techtrack.core.errors import Conflict
from techtrack.notifications import queries
from techtrack.notifications.domain.retry import MOST_DEATHS, after_death, next_delay, pause
from techtrack.notifications.domain.transport import NotDelivered
from techtrack.notifications.events import DeliveriesQueued, DeliveryChanged
from techtrack.notifications.models import Channel, Delivery, DeliveryQuerySet, DeliveryState
from techtrack.notifications.services.history import note_failed, note_told

LEASE = timedelta(seconds=60)
LONGEST_ERROR = 1000
POISON = f"{MOST_DEATHS} attempts in a row ended with the process that sent it: it may be what ends them"
SWITCHED_OFF = "the channel was switched off"
NO_ANSWER = "It was taken; the process that sent it ended before it could write down what was said."
# How exactly a channel knows when it last worked; a write for each message would cost as much as the message.
LAST_SENT_GRAIN = timedelta(minutes=1)
MOST_RETRIED = 10_000
WAITING = (DeliveryState.PENDING, DeliveryState.HELD)


class NotDead(Conflict):
    """Only what was given up is tried again; the rest is tried by itself, or was sent."""

    code = "delivery_not_dead"


class ChannelOff(Conflict):
    """To a channel that is switched off nothing is sent, so nothing may wait for that."""

    code = "channel_off"

    def __init__(self) -> None:
        super().__init__("the channel is switched off: switch it on first")


@transaction.atomic
def claim_next(*, channel_id: int, now: datetime) -> Delivery | None:
    """Take the first in the line of a channel, for LEASE; None when nothing is due.

    The attempt counts from here, and so does one whose sender died of it: such a message is put off, and given up in
    the end.
    """
    rows = queries.due(now).filter(channel=channel_id).select_related("channel")
    # What another sender looks at just now is passed over: nobody waits for the other.
    line = rows.select_for_update(skip_locked=True, of=("self",))
    while (delivery := line.first()) is not None:
        # Whoever ends an attempt in any way lets go of the lease.
        if delivery.lease_until is None or _is_tried_again(delivery, now):
            delivery.lease_until, delivery.attempts = now + LEASE, delivery.attempts + 1
            delivery.save(update_fields=["lease_until", "attempts", "deaths"])
            return delivery
    return None


@transaction.atomic
def record_sent(*, delivery: Delivery, now: datetime) -> None:
    """Note that the other side has taken the message: a fact, whoever holds the lease by now."""
    note_told(delivery, now=now)
    if _note_sent(delivery, now):
        announce(delivery, DeliveryState.SENT)


@transaction.atomic
def record_sent_and_claim(*, delivery: Delivery, now: datetime) -> Delivery | None:
    """Note that a message was taken, and take the next of its channel: one commit instead of two."""
    note_told(delivery, now=now)
    noted = _note_sent(delivery, now)
    following = claim_next(channel_id=delivery.channel_id, now=now)
    if noted:
        announce(delivery, DeliveryState.SENT)
    return following


@transaction.atomic
def record_taken(*, pks: Collection[UUID], now: datetime) -> int:
    """Note of messages that the other side had taken them when their sender died; return of how many it was news."""
    rows = Delivery.objects.filter(pk__in=pks, state=DeliveryState.PENDING).select_related("channel")
    found = list(rows.defer("body", "facts").order_by("pk"))
    for delivery in found:
        note_told(delivery, now=now)
    _waiting(found).update(**_sent(now, NO_ANSWER))
    announce_all(found, DeliveryState.SENT)
    return len(found)


@transaction.atomic
def record_failure(*, delivery: Delivery, failure: NotDelivered, now: datetime, chance: float) -> None:
    """Note a failed attempt and when to try again, or that it is given up; ``chance`` in [0, 1) is the jitter.

    The whole channel rests meanwhile, as the next message would meet the same server; unless others of its addresses
    have the message: then the server works, and only the rest is tried again.
    """
    age, error = now - delivery.created_at, failure.detail[:LONGEST_ERROR]
    delay = next_delay(delivery.attempts, age=age, retry=failure.retry, chance=chance)
    outcome: dict[str, Any] = {"state": DeliveryState.DEAD} if delay is None else {"next_attempt_at": now + delay}
    if delay is None:
        note_failed([delivery], error, now=now)
    channel = Channel.objects.select_for_update(no_key=True).filter(pk=delivery.channel_id).first()
    if channel is None:
        return
    if failure.reached:
        _note_reached(delivery, failure.reached)
    # Whose lease has run out leaves the row to the one who took it over.
    mine = _waiting([delivery]).filter(lease_until=delivery.lease_until)
    if mine.update(**outcome, lease_until=None, deaths=0, error=error):
        _note_failure(channel, failure, now, chance)
        announce(delivery, outcome.get("state", DeliveryState.PENDING))


@transaction.atomic
def withdraw(*, delivery: Delivery, why: str, now: datetime) -> None:
    """Give up a claimed message that must not go any more; its channel works."""
    note_failed([delivery], why, now=now)
    mine = _waiting([delivery]).filter(lease_until=delivery.lease_until)
    if mine.update(state=DeliveryState.DEAD, lease_until=None, error=why):
        announce(delivery, DeliveryState.DEAD)


@transaction.atomic
def give_up(*, channel: Channel, why: str, now: datetime) -> int:
    """Let nothing wait any longer for a channel: what could not be sent is a dead letter. Hold the channel's row."""
    waiting = Delivery.objects.filter(channel=channel, state__in=WAITING)
    found = list(waiting.select_related("channel").defer("body", "facts").order_by("pk"))
    note_failed(found, why, now=now)
    rows = Delivery.objects.filter(pk__in=[delivery.pk for delivery in found], state__in=WAITING)
    count = rows.update(state=DeliveryState.DEAD, lease_until=None, error=why)
    announce_all(found, DeliveryState.DEAD)
    return count


@transaction.atomic
def give_up_switched_off(*, now: datetime) -> int:
    """Give up what was written for a channel in the moment in which it was switched off; return how many that were."""
    stranded = Delivery.objects.filter(channel__enabled=False, state__in=WAITING).order_by("channel")
    channels = list(stranded.values_list("channel", flat=True).distinct())
    rows = Channel.objects.select_for_update(no_key=True).filter(pk__in=channels, enabled=False).order_by("pk")
    return sum(give_up(channel=channel, why=SWITCHED_OFF, now=now) for channel in rows)


@transaction.atomic
def free(*, channel: Channel, now: datetime) -> None:
    """Try at once what waits for a channel: it works, or somebody has mended it."""
    channel.failing_since, channel.error, channel.failures, channel.retry_at = None, "", 0, None
    channel.save(update_fields=["failing_since", "error", "failures", "retry_at"])
    rows = Delivery.objects.filter(channel=channel, state=DeliveryState.PENDING, next_attempt_at__gt=now)
    events.publish(DeliveriesQueued(count=rows.update(next_attempt_at=now)))


@transaction.atomic
def retry_delivery(*, delivery: Delivery, by: Access, now: datetime) -> Delivery:
    """Try a message again that was given up, under the id that it had; an operator at its site may.

    Raises:
        NotDead: it was not given up.
        ChannelOff: it would wait for nothing.
    """
    if delivery.person_id is None or delivery.person_id != by.user_id:
        by.require(Role.OPERATOR, delivery.site_id)
    if not Channel.objects.filter(pk=delivery.channel_id, enabled=True).exists():
        raise ChannelOff
    if not _revive(Delivery.objects.filter(pk=delivery.pk), now):
        raise NotDead(f"the delivery is {delivery.state}: only what was given up is tried again")
    delivery.refresh_from_db()
    announce(delivery, DeliveryState.PENDING)
    return delivery


@transaction.atomic
def retry_deliveries(*, rows: DeliveryQuerySet, by: Access, now: datetime) -> int:
    """Try again what was given up among ``rows``, as far as ``by`` may; return how many (MOST_RETRIED at once).

    Raises:
        ChannelOff: there are only such whose channel is switched off; among others they are left as they are.
    """
    dead = rows.visible_to(by).filter(state=DeliveryState.DEAD).defer("body", "facts")
    found = list(dead.filter(channel__enabled=True).order_by("created_at", "pk")[:MOST_RETRIED])
    if not found and dead.exists():
        raise ChannelOff
    count = _revive(Delivery.objects.filter(pk__in=[delivery.pk for delivery in found]), now)
    announce_all(found, DeliveryState.PENDING)
    return count


def announce(delivery: Delivery, state: str) -> None:
    """Tell whoever watches how far a message is. Last in a transaction: live events are numbered under a lock."""
    announce_all([delivery], state)


def announce_all(deliveries: Iterable[Delivery], state: str = "") -> None:
    """Tell the same of several, each in ``state`` or as it is: however many they are, the lock is held but shortly."""
    events.publish_all(DeliveryChanged(one.pk, one.site_id, state or one.state) for one in deliveries)


def _is_tried_again(delivery: Delivery, now: datetime) -> bool:
    """Count an attempt that ended without a word; tell whether the next is due, or put it off, or give it up."""
    delivery.deaths += 1
    # Spread, so that what was in other hands when a sender died is not there the next time.
    delay = after_death(delivery.deaths, chance=delivery.pk.int % 1000 / 1000)
    if delay == timedelta(0):
        return True
    delivery.lease_until = None
    if delay is None:
        note_failed([delivery], POISON, now=now)
        delivery.state, delivery.error = DeliveryState.DEAD, POISON
    else:
        delivery.next_attempt_at = now + delay
    delivery.save(update_fields=["lease_until", "deaths", "state", "error", "next_attempt_at"])
    announce(delivery, delivery.state)
    return False


def _revive(rows: DeliveryQuerySet, now: datetime) -> int:
    dead = rows.filter(state=DeliveryState.DEAD)
    channels = list(dead.order_by().values_list("channel", flat=True).distinct())
    again = {"state": DeliveryState.PENDING, "attempts": 0, "deaths": 0, "next_attempt_at": now, "lease_until": None}
    # Whoever asks for it has mended something: the channel is tried at once.
    Channel.objects.filter(pk__in=channels).update(failures=0, retry_at=None)
    count = dead.update(**again)
    if count:
        events.publish(DeliveriesQueued(count=count))
    return count


def _waiting(deliveries: Iterable[Delivery]) -> DeliveryQuerySet:
    return Delivery.objects.filter(pk__in=[delivery.pk for delivery in deliveries], state=DeliveryState.PENDING)


def _sent(now: datetime, answer: str) -> dict[str, Any]:
    return {"state": DeliveryState.SENT, "sent_at": now, "lease_until": None, "error": "", "answer": answer}


def _note_sent(delivery: Delivery, now: datetime) -> int:
    # The channel before its messages, as who switches it off or deletes it locks them.
    news = Q(failing_since__isnull=False) | Q(last_sent_at=None) | Q(last_sent_at__lte=now - LAST_SENT_GRAIN)
    works = {"last_sent_at": now, "failing_since": None, "error": "", "failures": 0, "retry_at": None}
    Channel.objects.filter(news | ~Q(error=""), pk=delivery.channel_id).update(**works)
    return Delivery.objects.filter(pk=delivery.pk).update(**_sent(now, delivery.answer))


def _note_reached(delivery: Delivery, reached: Collection[str]) -> None:
    """Add addresses to those that have a message: a fact, whoever holds the lease by now."""
    rows = Delivery.objects.filter(pk=delivery.pk)
    known = rows.select_for_update().values_list("reached", flat=True).first()
    rows.update(reached=sorted({*(known or ()), *reached}))


def _note_failure(channel: Channel, failure: NotDelivered, now: datetime, chance: float) -> None:
    channel.error = failure.detail[:LONGEST_ERROR]
    if failure.reached:
        channel.failing_since, channel.failures, channel.retry_at = None, 0, None
    else:
        channel.failing_since, channel.failures = channel.failing_since or now, channel.failures + 1
        channel.retry_at = now + pause(channel.failures, chance=chance)
    channel.save(update_fields=["failing_since", "error", "failures", "retry_at"])
