"""Lets go what was held for quiet hours or a digest: as one message per channel, of how things stand by then."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from techtrack.accounts.domain.access import Role
from techtrack.accounts.models import User
from techtrack.alerts.models import Alert
from techtrack.core import events
from techtrack.notifications import queries
from techtrack.notifications.domain.grouping import DIGEST, RAISED, RETURNED, gravest
from techtrack.notifications.domain.quiet_hours import held_until
from techtrack.notifications.events import DeliveriesQueued
from techtrack.notifications.models import Channel, Delivery, DeliveryQuerySet, DeliveryState
from techtrack.notifications.services.composing import message_to
from techtrack.notifications.services.recipients import wishes_of
from techtrack.notifications.services.sending import announce, announce_all

# How long waits what cannot be let go; other channels go on.
PUT_OFF = timedelta(minutes=1)


@transaction.atomic
def release_held(*, channel: int, now: datetime) -> int:
    """Queue what is held for a channel and has come due; return how many messages were let go.

    Several become one, which tells of each alert how it stands. What the person, having changed wishes, wants even
    later is held on; what the person may not see any more is given up.
    """
    # The channel's row is the lock: two tellers would each make a digest of a part.
    found = Channel.objects.select_for_update().filter(pk=channel).first()
    rows = list(_held(channel, now).order_by("created_at", "pk"))
    if found is None or not rows:
        return 0
    owner = User.objects.filter(pk=found.owner_id).first() if found.owner_id else None
    worst = gravest(row.severity for row in rows)
    until = held_until(wishes_of(owner), worst, now, digests=False) if owner else None
    if until is not None:
        _held(channel, now).update(next_attempt_at=until)
        return 0
    alerts = _alerts(rows, owner)
    if not alerts:
        return _settle(rows, state=DeliveryState.DEAD, error="the person may not see it any more")
    if len(rows) == 1 and len(alerts) == rows[0].alerts.count():
        return _settle(rows, state=DeliveryState.PENDING, next_attempt_at=now)
    return _merge(rows, alerts, now)


def put_off_held(*, channel: int, now: datetime) -> None:
    """Look at what cannot be let go later."""
    _held(channel, now).update(next_attempt_at=now + PUT_OFF)


def _held(channel: int, now: datetime) -> DeliveryQuerySet:
    held = Delivery.objects.filter(channel=channel, state=DeliveryState.HELD, next_attempt_at__lte=now)
    return held.select_related("channel")


def _alerts(rows: Sequence[Delivery], owner: User | None) -> list[Alert]:
    """The alerts that messages are about, in their order, as far as the owner of the channel may see them by now."""
    links = Delivery.alerts.through.objects.filter(delivery__in=rows).order_by("pk").values_list("alert", flat=True)
    known = queries.alerts_to_tell(links)
    alerts = [known[pk] for pk in dict.fromkeys(links) if pk in known]
    if owner is None:
        return alerts
    access = owner.access()
    return [alert for alert in alerts if access.allows(Role.VIEWER, alert.asset.site_id)]


def _settle(rows: Sequence[Delivery], *, state: DeliveryState, **values: Any) -> int:
    Delivery.objects.filter(pk__in=[row.pk for row in rows]).update(state=state, **values)
    if state == DeliveryState.PENDING:
        events.publish(DeliveriesQueued(count=len(rows)))
    announce_all(rows, state)
    return len(rows)


def _merge(rows: Sequence[Delivery], alerts: Sequence[Alert], now: datetime) -> int:
    reasons = {alert.pk: RAISED if alert.active else RETURNED for alert in alerts}
    made = message_to(rows[0].channel, alerts, reasons, now=now)
    made.event, made.person_id = DIGEST, rows[0].person_id
    made.save(force_insert=True)
    made.alerts.set(alerts)
    events.publish(DeliveriesQueued(count=1))
    _settle(rows, state=DeliveryState.MERGED, merged_into=made)
    announce(made, DeliveryState.PENDING)
    return len(rows)
