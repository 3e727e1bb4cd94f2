"""Turns notices into messages: tells each group that is due to whom it concerns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import transaction

from techtrack.core import events
from techtrack.notifications import queries
from techtrack.notifications.domain.grouping import (
    ESCALATED,
    GRAVER,
    RAISED,
    REPEATED,
    RETURNED,
    gravest,
    next_due,
    repeat_due,
    steps_due,
)
from techtrack.notifications.domain.quiet_hours import held_until
from techtrack.notifications.events import DeliveriesQueued
from techtrack.notifications.models import Delivery, DeliveryState, Group, Notice, Route
from techtrack.notifications.queries import Known
from techtrack.notifications.services.composing import Draft, link, messages_of
from techtrack.notifications.services.history import note_broken, note_nobody
from techtrack.notifications.services.keeping import keep_alerts_of, keep_channels, keep_routes
from techtrack.notifications.services.recipients import Address, AddressBook
from techtrack.notifications.services.sending import announce_all
from techtrack.notifications.services.sorting import course_of, end_round, timing_of

# How long a group is put off that cannot be told; others go on.
PUT_OFF = timedelta(minutes=1)


@transaction.atomic
def tell_groups(*, pks: Sequence[int], now: datetime) -> int:
    """Write the messages of those groups that are due, and when to look at them next; return how many were written.

    All in one transaction with the marks on what is told: who dies before its end has told nothing. Another who
    tells at the same moment leaves these groups alone, or finds them done.
    """
    rows = Group.objects.select_for_update(skip_locked=True, of=("self",)).select_related("route")
    groups = list(rows.filter(pk__in=pks, due_at__lte=now).order_by("pk"))
    kept = keep_routes(group.route_id for group in groups)
    groups = [group for group in groups if group.route_id in kept]
    keep_alerts_of(groups)
    page = _Page(groups, now)
    for group in groups:
        page.tell(group)
    written = _write(page.parcels, page.known, now)
    for told_nobody in page.nobody:
        note_nobody(told_nobody.alerts, told_nobody.route, row=told_nobody.row, now=now)
    announce_all(written)
    return len(written)


@transaction.atomic
def put_off(*, pk: int, error: str, now: datetime) -> None:
    """Look later at a group that cannot be told, and say in the history of its alerts that it was not."""
    note_broken(pk, error, now=now)
    Group.objects.filter(pk=pk, due_at__lte=now).update(due_at=now + PUT_OFF)


@dataclass
class _Parcel:
    """What one channel is told of one group: alerts by id, with the reason of each."""

    group: Group
    address: Address
    reasons: dict[int, str] = field(default_factory=dict)


class _News(NamedTuple):
    """What happened to an alert, of a notice; a group may have thousands."""

    alert_id: int
    event: str
    created_at: datetime


class _Nobody(NamedTuple):
    """Alerts that a route, or a row of its escalation (from 1), was to tell, and there was nobody."""

    alerts: Sequence[int]
    route: Route
    row: int | None


class _Page:
    """The groups that are told in one transaction, with all that is to be known for that."""

    def __init__(self, groups: Sequence[Group], now: datetime) -> None:
        self.parcels: list[_Parcel] = []
        self.nobody: list[_Nobody] = []
        self._now = now
        self._book = AddressBook(now)
        self._news: dict[int | None, list[_News]] = defaultdict(list)
        untold = Notice.objects.filter(group__in=groups, told_at=None).order_by("pk")
        for group, alert, event, at in untold.values_list("group", "alert", "event", "created_at").iterator():
            self._news[group].append(_News(alert, event, at))
        self._standing = queries.standing(groups)
        fresh = {news.alert_id for some in self._news.values() for news in some}
        self.known = queries.known(fresh.union(*self._standing.values()))
        since = {(news.alert_id, group.route_id): news.created_at for group in groups for news in self._news[group.pk]}
        self._heard = queries.heard(since)
        self._told = queries.told_of(
            news.alert_id for some in self._news.values() for news in some if news.event == RETURNED
        )

    def tell(self, group: Group) -> None:
        """Make the parcels of a group and write down how far it has come."""
        if group.route.enabled:
            self._pack(group, group.route, self._news[group.pk])
        else:
            end_round(group)
            group.due_at = None
        group.save()
        # None is added meanwhile: the group is locked.
        Notice.objects.filter(group=group, told_at=None).update(told_at=self._now)

    def _pack(self, group: Group, route: Route, news: Sequence[_News]) -> None:
        timing, course, now = timing_of(route), course_of(group), self._now
        reasons = self._reasons(route, news)
        fired = {pk for pk, reason in reasons.items() if reason != RETURNED}
        standing = self._standing.get(group.pk, set()) | {pk for pk in fired if self.known[pk].waits}
        repeat = repeat_due(timing, course) if standing else None
        again = repeat is not None and repeat <= now
        parcels: dict[int, _Parcel] = {}
        told = self._book.of_route(route, steps=course.step)
        if again:
            self._add(parcels, group, told, dict.fromkeys(standing, REPEATED))
        step = course.step
        if standing:
            step = self._escalate(parcels, group, steps_due(timing, course, now=now), standing)
        self._add(parcels, group, told, {pk: reasons[pk] for pk in fired})
        if fired and not any(one.may_know(self.known[pk]) for one in told.values() for pk in fired):
            self.nobody.append(_Nobody(sorted(fired), route, None))
        raised = {one.alert_id for one in news if one.event != RETURNED}
        self._add_returned(parcels, group, told, {pk: pk in raised for pk in reasons.keys() - fired})
        self.parcels += parcels.values()
        # Also where there was nobody to tell: it is not due again at once.
        if fired or parcels or again:
            group.opened_at, group.told_at = group.opened_at or now, now
            group.severity = gravest({group.severity or "info", *(self.known[pk].severity for pk in fired)})
        group.step = step
        if not standing:
            end_round(group)
        group.due_at = next_due(timing, course_of(group)) if standing else None

    def _escalate(self, parcels: dict[int, _Parcel], group: Group, due: int, standing: set[int]) -> int:
        """Tell the rows of the escalation up to the one that is ``due``; return how many are told by then.

        A row that reaches nobody is no help: that is said, and the next one is told at once.
        """
        route, step = group.route, group.step
        while step < min(due, len(route.escalation)):
            reached = self._add(
                parcels, group, self._book.of_row(route.escalation[step]), dict.fromkeys(standing, ESCALATED)
            )
            step += 1
            if not reached:
                self.nobody.append(_Nobody(sorted(standing), route, step))
                due = max(due, step + 1)
        return step

    def _reasons(self, route: Route, news: Sequence[_News]) -> dict[int, str]:
        """By alert, the last that happened; what was hidden meanwhile is not told, nor what is gone."""
        last: dict[int, str] = {}
        for one in news:
            if one.event != RETURNED or route.tell_returned:
                last[one.alert_id] = one.event
        seen = {pk: reason for pk, reason in last.items() if pk in self.known}
        return {pk: reason for pk, reason in seen.items() if reason == RETURNED or not self.known[pk].hidden}

    def _add_returned(
        self, parcels: dict[int, _Parcel], group: Group, told: Mapping[int, Address], returned: Mapping[int, bool]
    ) -> None:
        """Tell that alerts returned to those who knew of them; to all, where they learn of both at once (True)."""
        for pk, is_new in sorted(returned.items()):
            own, others = self._knowing(group.route, pk)
            addresses = {channel: one for channel in sorted(own | others) for one in self._book.of_channel(channel)}
            self._add(parcels, group, {**told, **addresses} if is_new and not own else addresses, {pk: RETURNED})

    def _knowing(self, route: Route, pk: int) -> tuple[set[int], set[int]]:
        """The channels that a route has told of an alert, and those that it left out as other routes had told them."""
        told = self._told.get(pk, {})
        own = {channel for channel, by in told.items() if route.pk in by}
        rest = ((channel, at) for channel, by in told.items() if channel not in own for at in by.values())
        return own, {channel for channel, at in rest if self._book.leads(route, channel, at=at)}

    def _add(
        self, parcels: dict[int, _Parcel], group: Group, addresses: Mapping[int, Address], reasons: Mapping[int, str]
    ) -> bool:
        """Put what each address may know and wants into its parcel; tell whether there was anything."""
        added = False
        for channel, address in addresses.items():
            wanted = {pk: why for pk, why in reasons.items() if self._is_for(address, pk, why, group.route_id)}
            if wanted:
                parcels.setdefault(channel, _Parcel(group, address)).reasons.update(wanted)
                added = True
        return added

    def _is_for(self, address: Address, pk: int, reason: str, route: int) -> bool:
        alert = self.known.get(pk)
        if alert is None or not address.may_know(alert):
            return False
        # However many routes lead to a channel, it is told once of what happened.
        news = reason in {RAISED, GRAVER, RETURNED}
        if news and (address.channel.pk, pk, route, reason == RETURNED) in self._heard:
            return False
        return reason == RETURNED or address.wants(alert.severity)


def _write(parcels: Iterable[_Parcel], known: Mapping[int, Known], now: datetime) -> list[Delivery]:
    """Write one delivery for each parcel, and which alerts it is about."""
    drafts, sent = [], []
    said: dict[int, set[int]] = defaultdict(set)
    parcels = list(parcels)
    kept = keep_channels(parcel.address.channel.pk for parcel in parcels)
    for parcel in parcels:
        channel = parcel.address.channel
        if channel.pk not in kept:
            continue
        # However many routes lead to a channel, it is told once.
        alerts = [known[pk] for pk in parcel.reasons if pk not in said[channel.pk]]
        said[channel.pk].update(parcel.reasons)
        if alerts:
            drafts.append(Draft(channel, alerts, parcel.reasons))
            sent.append(parcel)
    rows = messages_of(drafts, now=now)
    for row, parcel in zip(rows, sent, strict=True):
        row.group, row.route = parcel.group, parcel.group.route
        _hold(row, parcel.address, now)
    Delivery.objects.bulk_create(rows)
    for row, draft in zip(rows, drafts, strict=True):
        link(row, draft.alerts)
    if rows:
        events.publish(DeliveriesQueued(count=len(rows)))
    return rows


def _hold(row: Delivery, address: Address, now: datetime) -> None:
    """Let a message to a person wait until the person wants it."""
    if address.person:
        row.person_id = address.person.pk
        until = held_until(address.person.wishes, row.severity, now)
        row.state, row.next_attempt_at = (DeliveryState.HELD, until) if until else (row.state, now)
