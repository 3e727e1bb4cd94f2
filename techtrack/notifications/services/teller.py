"""Turns notices into messages: puts them into groups, and tells each group that is due to whom it concerns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import connection, transaction

from techtrack.alerts.models import Alert
from techtrack.core import events
from techtrack.notifications import queries
from techtrack.notifications.domain.escalation import after_of
from techtrack.notifications.domain.grouping import (
    ESCALATED,
    GRAVER,
    RAISED,
    REPEATED,
    RETURNED,
    Course,
    Timing,
    graver,
    gravest,
    news_due,
    next_due,
    repeat_due,
    steps_due,
)
from techtrack.notifications.domain.quiet_hours import held_until
from techtrack.notifications.events import DeliveriesQueued
from techtrack.notifications.models import Delivery, DeliveryState, Group, Notice, Route
from techtrack.notifications.services.composing import message_to
from techtrack.notifications.services.recipients import Address, AddressBook
from techtrack.notifications.services.sending import announce_all

# While they are sorted, others who write wait.
MOST_NOTICES = 25
# How long a group is put off that cannot be told; others go on.
PUT_OFF = timedelta(minutes=1)


@transaction.atomic
def sort_notices() -> int:
    """Put new notices into their groups and say when those are due; return how many there were (MOST_NOTICES)."""
    rows = Notice.objects.select_for_update(skip_locked=True, of=("self",)).filter(group=None, told_at=None)
    found = list(rows.order_by("pk")[:MOST_NOTICES])
    news: dict[tuple[int, str], list[Notice]] = defaultdict(list)
    for notice in found:
        news[notice.route_id, notice.key].append(notice)
    routes = Route.objects.in_bulk({route for route, _ in news})
    # In one order, so that two who sort do not wait for each other in a circle.
    for (route, key), some in sorted(news.items()):
        if route in routes:
            _put(routes[route], key, some)
        else:
            # The route was deleted while the alert was written.
            Notice.objects.filter(pk__in=[notice.pk for notice in some]).delete()
    return len(found)


def _put(route: Route, key: str, news: Sequence[Notice]) -> None:
    group, made = Group.objects.get_or_create(route=route, key=key)
    if not made:
        group = Group.objects.select_for_update().get(pk=group.pk)
    raised = {notice.alert_id for notice in news if notice.event == RAISED}
    if raised and not made and not queries.standing([group]).get(group.pk, set()) - raised:
        # Nobody waits any more for what it was about: a new round begins.
        _end_round(group)
    worst = gravest(notice.severity for notice in news)
    urgent = not group.severity or graver(worst, group.severity)
    firing = any(notice.event != RETURNED for notice in news)
    since = min(notice.created_at for notice in news)
    due = news_due(_timing(route), _course(group), now=since, urgent=urgent and firing)
    group.due_at = min(due, group.due_at or due)
    group.save()
    Notice.objects.filter(pk__in=[notice.pk for notice in news]).update(group=group)


@transaction.atomic
def tell_groups(*, pks: Sequence[int], now: datetime) -> int:
    """Write the messages of those groups that are due, and when to look at them next; return how many were written.

    All in one transaction with the marks on what is told: who dies before its end has told nothing. Another who
    tells at the same moment leaves these groups alone, or finds them done.
    """
    rows = Group.objects.select_for_update(skip_locked=True, of=("self",)).select_related("route")
    groups = list(rows.filter(pk__in=pks, due_at__lte=now).order_by("pk"))
    queries.hold_alerts(groups)
    page = _Page(groups, now)
    for group in groups:
        page.tell(group)
    written = _write(page.parcels, page.alerts, now)
    # Whoever deletes a person or channel named here waits for the live events: so wait for that one before them.
    if connection.vendor == "postgresql":
        connection.check_constraints()
    announce_all(written)
    return len(written)


def put_off(*, pk: int, now: datetime) -> None:
    """Look at a group that cannot be told again later."""
    Group.objects.filter(pk=pk, due_at__lte=now).update(due_at=now + PUT_OFF)


@dataclass
class _Parcel:
    """What one channel is told of one group: alerts by id, with the reason of each."""

    group: Group
    address: Address
    reasons: dict[int, str] = field(default_factory=dict)


class _Page:
    """The groups that are told in one transaction, with all that is to be known for that."""

    def __init__(self, groups: Sequence[Group], now: datetime) -> None:
        self.parcels: list[_Parcel] = []
        self._now = now
        self._book = AddressBook(now)
        self._news: dict[int, list[Notice]] = defaultdict(list)
        for notice in Notice.objects.filter(group__in=groups, told_at=None).order_by("pk"):
            self._news[notice.group_id or 0].append(notice)
        self._standing = queries.standing(groups)
        fresh = {notice.alert_id for notices in self._news.values() for notice in notices}
        self.alerts = queries.alerts_to_tell(fresh.union(*self._standing.values()))
        self._heard = queries.heard(notice for notices in self._news.values() for notice in notices)
        self._told = queries.told_of(fresh, {group.route_id for group in groups})

    def tell(self, group: Group) -> None:
        """Make the parcels of a group and write down how far it has come."""
        news, route = self._news[group.pk], group.route
        if route.enabled:
            self._pack(group, route, news)
        else:
            _end_round(group)
            group.due_at = None
        group.save()
        Notice.objects.filter(pk__in=[notice.pk for notice in news]).update(told_at=self._now)

    def _pack(self, group: Group, route: Route, news: Sequence[Notice]) -> None:
        timing, course, now = _timing(route), _course(group), self._now
        reasons = self._reasons(route, news)
        fired = {pk for pk, reason in reasons.items() if reason != RETURNED}
        waiting = {pk for pk in fired if _waits(self.alerts[pk])}
        standing = self._standing.get(group.pk, set()) | waiting
        step = steps_due(timing, course, now=now) if standing else course.step
        repeat = repeat_due(timing, course) if standing else None
        again = repeat is not None and repeat <= now
        parcels: dict[int, _Parcel] = {}
        told = self._book.of_route(route, steps=course.step)
        if again:
            self._add(parcels, group, told, dict.fromkeys(standing, REPEATED))
        for row in route.escalation[course.step : step]:
            self._add(parcels, group, self._book.of_row(row), dict.fromkeys(standing, ESCALATED))
        self._add(parcels, group, told, {pk: reasons[pk] for pk in fired})
        raised = {notice.alert_id for notice in news if notice.event != RETURNED}
        self._add_returned(parcels, group, told, {pk: pk in raised for pk in reasons.keys() - fired})
        self.parcels += parcels.values()
        # Also where there was nobody to tell: it is not due again at once.
        if fired or parcels or again:
            group.opened_at, group.told_at = group.opened_at or now, now
            group.severity = gravest([group.severity or "info", *(self.alerts[pk].severity for pk in fired)])
        group.step = step
        if not standing:
            _end_round(group)
        group.due_at = next_due(timing, _course(group)) if standing else None

    def _reasons(self, route: Route, news: Sequence[Notice]) -> dict[int, str]:
        """By alert, the last that happened; what was hidden meanwhile is not told, nor what is gone."""
        last: dict[int, str] = {}
        for notice in news:
            if notice.event != RETURNED or route.tell_returned:
                last[notice.alert_id] = notice.event
        seen = {pk: reason for pk, reason in last.items() if pk in self.alerts}
        return {pk: reason for pk, reason in seen.items() if reason == RETURNED or not self.alerts[pk].hidden}

    def _add_returned(
        self, parcels: dict[int, _Parcel], group: Group, told: Mapping[int, Address], returned: Mapping[int, bool]
    ) -> None:
        """Tell that alerts returned to those who knew of them; to all, where they learn of both at once (True)."""
        for pk, is_new in sorted(returned.items()):
            knowing = self._told.get((pk, group.route_id), set())
            addresses = {channel: one for channel in sorted(knowing) for one in self._book.of_channel(channel)}
            self._add(parcels, group, told if is_new and not knowing else addresses, {pk: RETURNED})

    def _add(
        self, parcels: dict[int, _Parcel], group: Group, addresses: Mapping[int, Address], reasons: Mapping[int, str]
    ) -> None:
        for channel, address in addresses.items():
            wanted = {pk: why for pk, why in reasons.items() if self._is_for(address, pk, why, group.route_id)}
            if wanted:
                parcels.setdefault(channel, _Parcel(group, address)).reasons.update(wanted)

    def _is_for(self, address: Address, pk: int, reason: str, route: int) -> bool:
        alert = self.alerts.get(pk)
        if alert is None or not address.may_know(alert):
            return False
        # However many routes lead to a channel, it is told once of what happened.
        news = reason in {RAISED, GRAVER, RETURNED}
        if news and (address.channel.pk, pk, route, reason == RETURNED) in self._heard:
            return False
        return reason == RETURNED or address.wants(alert.severity)


def _waits(alert: Alert) -> bool:
    return alert.active and alert.acknowledged_at is None and not alert.hidden


def _write(parcels: Iterable[_Parcel], known: Mapping[int, Alert], now: datetime) -> list[Delivery]:
    """Write one delivery for each parcel, and which alerts it is about."""
    rows, links = [], []
    through = Delivery.alerts.through
    said: dict[int, set[int]] = defaultdict(set)
    for parcel in parcels:
        channel = parcel.address.channel.pk
        # However many routes lead to a channel, it is told once.
        alerts = [known[pk] for pk in parcel.reasons if pk not in said[channel]]
        said[channel].update(parcel.reasons)
        if not alerts:
            continue
        row = _delivery(parcel.address, alerts, parcel.reasons, now)
        row.group, row.route = parcel.group, parcel.group.route
        rows.append(row)
        links += [through(delivery_id=row.pk, alert_id=alert.pk) for alert in alerts]
    Delivery.objects.bulk_create(rows)
    through.objects.bulk_create(links)
    if rows:
        events.publish(DeliveriesQueued(count=len(rows)))
    return rows


def _delivery(address: Address, alerts: Sequence[Alert], reasons: Mapping[int, str], now: datetime) -> Delivery:
    """Make the message of some alerts to an address: now, or held until the person wants it."""
    row = message_to(address.channel, alerts, reasons, now=now)
    if address.person:
        row.person_id = address.person.pk
        until = held_until(address.person.wishes, row.severity, now)
        row.state, row.next_attempt_at = (DeliveryState.HELD, until) if until else (row.state, now)
    return row


def _timing(route: Route) -> Timing:
    after = after_of(route.escalation)
    # An alert that shares messages with none is told of at once, whatever was told of it before.
    interval = route.group_interval if route.group_by else timedelta(0)
    return Timing(route.group_wait, interval, route.repeat_every, after)


def _course(group: Group) -> Course:
    return Course(group.opened_at, group.told_at, group.step)


def _end_round(group: Group) -> None:
    group.opened_at = group.told_at = None
    group.severity, group.step = "", 0
