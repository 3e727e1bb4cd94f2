"""Finds who is to be told: the channels of a route, of people, and of whoever is on call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from techtrack.accounts.domain.access import Access
from techtrack.accounts.models import User
from techtrack.notifications.domain.quiet_hours import Quiet, Wishes, wanted
from techtrack.notifications.domain.rota import Duty, StandIn, Turns, on_call
from techtrack.notifications.models import Channel, Preference, Rota, Route
from techtrack.notifications.queries import Known
from techtrack.notifications.services.following import address_of, follow_account, make_automatic
from techtrack.notifications.services.rights import may_know


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can be told: what this person may see, and how it is to be told."""

    pk: int
    access: Access
    wishes: Wishes


@dataclass(frozen=True, slots=True)
class Address:
    """A channel that is to be told; ``person`` is whom it leads to, None for one that is shared."""

    channel: Channel
    person: Person | None = None

    def may_know(self, alert: Known) -> bool:
        """Tell whether an alert may be told here: a channel knows its site, a person the sites of the roles held."""
        return may_know(alert, site=self.channel.site_id, access=self.person.access if self.person else None)

    def wants(self, severity: str) -> bool:
        """Tell whether alerts of this severity are wanted here at all."""
        return self.person is None or wanted(self.person.wishes, severity)


class AddressBook:
    """Looks up who is to be told at ``now``. What is gone or switched off is left out: others are told all the same."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._persons: dict[int, Person | None] = {}
        self._reached: dict[int, list[Address]] = {}
        self._shared: dict[int, list[Address]] = {}
        self._duties: dict[tuple[int, datetime], list[int]] = {}
        self._named: dict[int, set[int]] = {}

    def of_route(self, route: Route, *, steps: int) -> dict[int, Address]:
        """Whom a route tells, by channel, with those of the first ``steps`` rows of its escalation."""
        found = self.reach(route.channel_ids, route.people, route.rotas)
        for row in route.escalation[:steps]:
            found |= self.of_row(row)
        return found

    def of_row(self, row: Mapping[str, Any]) -> dict[int, Address]:
        """Whom a row of an escalation tells, by channel."""
        return self.reach(row.get("channels", []), row.get("people", []), row.get("rotas", []))

    def leads(self, route: Route, channel: int, *, at: datetime) -> bool:
        """Tell whether a route, with its whole escalation, led to a channel ``at`` a time, by who was on call then."""
        if route.pk not in self._named:
            self._named[route.pk] = set(self.of_route(route, steps=len(route.escalation)))
        if channel in self._named[route.pk]:
            return True
        owners = [address.person.pk for address in self.of_channel(channel) if address.person]
        rotas = {*route.rotas, *(pk for row in route.escalation for pk in row.get("rotas", []))}
        return any(owner in self._on_call(rota, at) for owner in owners for rota in sorted(rotas))

    def reach(self, channels: Iterable[int], people: Iterable[int], rotas: Iterable[int]) -> dict[int, Address]:
        """The addresses of channels, people and whoever is on call, by channel."""
        persons = [*people, *(person for pk in rotas for person in self._on_call(pk, self._now))]
        found = [address for pk in channels for address in self.of_channel(pk)]
        found += [address for pk in persons for address in self._of_person(pk)]
        return {address.channel.pk: address for address in found}

    def of_channel(self, pk: int) -> list[Address]:
        """The address behind a channel, if it is in use."""
        if pk not in self._shared:
            channel = Channel.objects.filter(pk=pk, enabled=True).first()
            self._shared[pk] = self._addresses([channel]) if channel else []
        return self._shared[pk]

    def _of_person(self, pk: int) -> list[Address]:
        if pk not in self._reached:
            self._reached[pk] = self._addresses(self._channels(pk)) if self._person(pk) else []
        return self._reached[pk]

    def _addresses(self, channels: Iterable[Channel]) -> list[Address]:
        found = []
        for channel in channels:
            person = self._person(channel.owner_id) if channel.owner_id else None
            if person or not channel.owner_id:
                found.append(Address(channel, person))
        return found

    def _channels(self, pk: int) -> list[Channel]:
        """The channels of a person; without any, one to the address of the account is made, if it is verified."""
        channels = list(Channel.objects.filter(owner=pk).order_by("pk"))
        email = address_of(pk)
        if not channels and email:
            channels = [make_automatic(user_id=pk, email=email, now=self._now)]
        for channel in channels:
            follow_account(channel=channel, email=email, now=self._now)
        return [channel for channel in channels if channel.enabled]

    def _person(self, pk: int) -> Person | None:
        if pk not in self._persons:
            user = User.objects.prefetch_related("memberships").filter(pk=pk, is_active=True).first()
            self._persons[pk] = Person(pk, user.access(), wishes_of(user)) if user else None
        return self._persons[pk]

    def _on_call(self, pk: int, at: datetime) -> list[int]:
        if (pk, at) not in self._duties:
            rota = Rota.objects.filter(pk=pk).first()
            person = duty(rota, at=at).person if rota else None
            self._duties[pk, at] = [] if person is None else [person]
        return self._duties[pk, at]


def duty(rota: Rota, *, at: datetime) -> Duty:
    """Who is on call; whoever is gone is passed over."""
    overrides = [
        StandIn(datetime.fromisoformat(row["from"]), datetime.fromisoformat(row["to"]), row["person"])
        for row in rota.overrides
    ]
    named = {*rota.people, *(one.person for one in overrides)}
    gone = named.difference(User.objects.filter(pk__in=named, is_active=True).values_list("pk", flat=True))
    return on_call(Turns(rota.people, rota.turn, rota.starts_at, _zone(rota.timezone), overrides), at, gone=gone)


def wishes_of(user: User) -> Wishes:
    """How a person wants to be told; who has said nothing wants all at once."""
    zone = _zone(user.time_zone)
    row = Preference.objects.filter(user=user).first()
    if row is None:
        return Wishes(zone)
    return Wishes(
        zone=zone,
        minimum_severity=row.minimum_severity,
        quiet=[
            Quiet(frozenset(one["days"]), time.fromisoformat(one["from"]), time.fromisoformat(one["to"]))
            for one in row.quiet_hours
        ],
        quiet_except=row.quiet_except,
        digest=row.digest,
        digest_at=row.digest_at,
        digest_below=row.digest_below,
    )


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        # A zone that this machine does not know must not keep anybody from being told.
        return ZoneInfo("UTC")
