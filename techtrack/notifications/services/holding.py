"""Lets go what was held for quiet hours or a digest: as one message per channel, of how things stand by then."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from techtrack.accounts.models import User
from techtrack.core import events
from techtrack.notifications import queries
from techtrack.notifications.domain.grouping import DIGEST, RAISED, RETURNED, gravest
from techtrack.notifications.domain.quiet_hours import held_until
from techtrack.notifications.events import DeliveriesQueued
from techtrack.notifications.models import Channel, Delivery, DeliveryQuerySet, DeliveryState
from techtrack.notifications.queries import Known
from techtrack.notifications.services.composing import Draft, link, messages_of
from techtrack.notifications.services.history import note_failed
from techtrack.notifications.services.keeping import keep_alerts
from techtrack.notifications.services.recipients import wishes_of
from techtrack.notifications.services.rights import NOTHING_LEFT, may_know
from techtrack.notifications.services.sending import announce_all

# How long waits what cannot be let go; other channels go on.
PUT_OFF = timedelta(minutes=1)


@transaction.atomic
def release_held(*, channel: int, now: datetime) -> int:
    """Queue what is held for a channel and has come due; return how many messages were let go.

    Several become one, which tells of each alert how it stands. What the person, having changed wishes, wants even
    later is held on; what the person may not see any more is given up.
    """
    # The channel's row is the lock: two tellers would each make a digest of a part.
    found = Channel.objects.select_for_update(no_key=True).filter(pk=channel).first()
    if found is None:
        return 0
    owner = User.objects.prefetch_related("memberships").filter(pk=found.owner_id).first() if found.owner_id else None
    rows = list(_held(channel, now).order_by("created_at", "pk"))
    if owner:
        rows = _come(rows, owner, now)
    if not rows:
        return 0
    about = _alerts(rows)
    # Before the messages: whoever deletes an alert locks it, then them.
    keep_alerts(sorted(about))
    access = owner.access() if owner else None
    alerts = [one for one in about.values() if may_know(one, site=found.site_id, access=access)]
    if not alerts:
        note_failed(rows, NOTHING_LEFT, now=now)
        return _settle(rows, state=DeliveryState.DEAD, error=NOTHING_LEFT)
    if len(rows) == 1 and len(alerts) == len(about):
        return _settle(rows, state=DeliveryState.PENDING, next_attempt_at=now)
    return _merge(rows, alerts, now)


def put_off_held(*, channel: int, now: datetime) -> None:
    """Look at what cannot be let go later."""
    _held(channel, now).update(next_attempt_at=now + PUT_OFF)


def _held(channel: int, now: datetime) -> DeliveryQuerySet:
    held = Delivery.objects.filter(channel=channel, state=DeliveryState.HELD, next_attempt_at__lte=now)
    return held.select_related("channel").defer("body", "facts")


def _come(rows: Sequence[Delivery], owner: User, now: datetime) -> list[Delivery]:
    """Return those whose time has come by what the person wishes now; hold on the others."""
    wishes = wishes_of(owner)
    # Its digest is the first after it was written: whatever else was changed, it comes no sooner.
    until = {row.pk: held_until(wishes, row.severity, row.created_at) or now for row in rows}
    come = [row for row in rows if until[row.pk] <= now]
    quiet = held_until(wishes, gravest(row.severity for row in come), now, digests=False) if come else None
    later: dict[datetime, list[Any]] = defaultdict(list)
    for row in rows:
        if quiet is not None or until[row.pk] > now:
            later[max(until[row.pk], quiet or now)].append(row.pk)
    for moment, pks in later.items():
        Delivery.objects.filter(pk__in=pks, state=DeliveryState.HELD).update(next_attempt_at=moment)
    return [] if quiet is not None else come


def _alerts(rows: Sequence[Delivery]) -> dict[int, Known]:
    """The alerts that messages are about, in their order."""
    links = Delivery.alerts.through.objects.filter(delivery__in=[row.pk for row in rows]).order_by("pk")
    ids = list(dict.fromkeys(links.values_list("alert", flat=True)))
    known = queries.known(ids)
    return {pk: known[pk] for pk in ids if pk in known}


def _settle(rows: Sequence[Delivery], *, state: DeliveryState, made: Delivery | None = None, **values: Any) -> int:
    """Write what becomes of rows, ``made`` of them if anything was, and announce it: all else is written before."""
    held = Delivery.objects.filter(pk__in=[row.pk for row in rows], state=DeliveryState.HELD)
    held.update(state=state, merged_into=made, **values)
    if made or state == DeliveryState.PENDING:
        events.publish(DeliveriesQueued(count=1 if made else len(rows)))
    for row in rows:
        row.state = state
    announce_all([*rows, *([made] if made else [])])
    return len(rows)


def _merge(rows: Sequence[Delivery], alerts: Sequence[Known], now: datetime) -> int:
    reasons = {alert.pk: RAISED if alert.active else RETURNED for alert in alerts}
    [made] = messages_of([Draft(rows[0].channel, alerts, reasons)], now=now)
    made.event, made.person_id = DIGEST, rows[0].person_id
    made.save(force_insert=True)
    link(made, alerts)
    return _settle(rows, state=DeliveryState.MERGED, made=made)
