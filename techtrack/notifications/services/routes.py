"""Writes of who gets what, and when."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from techtrack.accounts.domain.access import Access
from techtrack.accounts.models import Site
from techtrack.core.auditing import tell_changed
from techtrack.core.errors import Fault, Invalid
from techtrack.notifications import queries
from techtrack.notifications.domain.escalation import KINDS, check_escalation
from techtrack.notifications.models import Channel, Rota, Route
from techtrack.notifications.services.permissions import require_engineer

SHORTEST_REPEAT = timedelta(minutes=1)


class UnknownChannel(Invalid):
    """A route names a channel that does not exist, or that the caller may not see."""

    code = "unknown_channel"


class UnknownPerson(Invalid):
    """A route or rota names somebody who does not exist, or shares no site with the caller."""

    code = "unknown_person"


class UnknownRota(Invalid):
    """A route names a rota that does not exist, or that the caller may not see."""

    code = "unknown_rota"


class OfAnotherSite(Invalid):
    """A route of one site would tell a channel or rota of another: they would never meet."""

    code = "of_another_site"


@transaction.atomic
def create_route(*, by: Access, data: Mapping[str, Any], now: datetime) -> Route:
    """Create a route from its columns and ``channel_ids``; an engineer at its site may.

    Raises:
        UnknownChannel, UnknownPerson, UnknownRota: the caller may not see whom it names.
        Invalid: its values contradict one another.
    """
    data = dict(data)
    require_engineer(by, data.get("site"))
    _check(by, data, data, held={})
    channels = data.pop("channel_ids", [])
    route = Route.objects.create(**data, created_at=now, updated_at=now)
    _set_channels(route, channels, before=[])
    return route


@transaction.atomic
def update_route(*, route: Route, by: Access, changes: Mapping[str, Any], expected: int | None, now: datetime) -> Route:
    """Change a route; an engineer at its old and new site may. Raises as ``create_route`` does."""
    changes = dict(changes)
    require_engineer(by, route.site, changes.get("site", route.site))
    before = {"site": route.site, **_named(route)}
    _check(by, changes, before | changes, held=_all(before))
    channels = changes.pop("channel_ids", None)
    route.change(expected=expected, now=now, **changes)
    if channels is not None:
        _set_channels(route, channels, before=before["channel_ids"])
    return route


@transaction.atomic
def delete_route(*, route: Route, by: Access, expected: int | None) -> None:
    """Delete a route, with what it has not told yet; its channels stay."""
    require_engineer(by, route.site)
    # Before its groups, as who tells them keeps it.
    Route.objects.select_for_update().filter(pk=route.pk).first()
    route.remove(expected=expected)


def _set_channels(route: Route, channels: Sequence[int], *, before: Sequence[int]) -> None:
    route.channels.set(channels)
    tell_changed(route, {"channels": list(before)}, {"channels": sorted(set(channels))})


@transaction.atomic
def forget_site(*, site_id: int) -> None:
    """Delete routes and channels of a site, in the transaction in which it goes, in the order in which tellers lock."""
    routes, channels = Route.objects.filter(site=site_id), Channel.objects.filter(site=site_id)
    list(routes.select_for_update().order_by("pk").values_list("pk"))
    list(channels.select_for_update().order_by("pk").values_list("pk"))
    routes.delete()
    channels.delete()


def check_people(by: Access, people: Sequence[int], *, held: Collection[int], pointer: str) -> None:
    """Pass people whom the caller knows, or who were named before (``held``).

    Raises:
        UnknownPerson: with one fault for each who is not.
    """
    known = queries.colleagues(by, people)
    _refuse(UnknownPerson, "person", [(f"{pointer}/{n}", pk) for n, pk in enumerate(people)], known, held)


def _check(
    by: Access, written: Mapping[str, Any], whole: Mapping[str, Any], *, held: Mapping[str, Collection[int]]
) -> None:
    """Pass what is ``written`` of a route that will be ``whole``, and named those who are ``held`` before."""
    repeat = written.get("repeat_every")
    if repeat is not None and repeat < SHORTEST_REPEAT:
        raise Invalid("a message is repeated a minute after it, at the soonest", pointer="/repeat_every")
    group_by = written.get("group_by", [])
    if len(set(group_by)) < len(group_by):
        raise Invalid("a label is named twice", pointer="/group_by")
    if "escalation" in written:
        check_escalation(written["escalation"])
    named = {kind: list(_pointers(written, kind)) for kind in KINDS}
    channels = Channel.objects.visible_to(by).in_bulk({pk for _, pk in named["channels"]})
    rotas = Rota.objects.visible_to(by).in_bulk({pk for _, pk in named["rotas"]})
    people = queries.colleagues(by, {pk for _, pk in named["people"]})
    _refuse(UnknownChannel, "channel", named["channels"], channels, held.get("channels", ()))
    _refuse(UnknownPerson, "person", named["people"], people, held.get("people", ()))
    _refuse(UnknownRota, "rota", named["rotas"], rotas, held.get("rotas", ()))
    for kind, rows in (("channels", channels), ("rotas", rotas)):
        new = [(pointer, rows[pk]) for pointer, pk in named[kind] if pk in rows and pk not in held.get(kind, ())]
        _refuse_elsewhere(whole.get("site"), new)


def _refuse(
    family: type[Invalid],
    kind: str,
    named: Sequence[tuple[str, int]],
    known: Collection[int],
    held: Collection[int],
) -> None:
    faults = [
        Fault(pointer, family.code, f"there is no {kind} {pk} that you may see")
        for pointer, pk in named
        if pk not in known and pk not in held
    ]
    if faults:
        raise family(faults[0].detail, faults=faults)


def _refuse_elsewhere(site: Site | None, named: Sequence[tuple[str, Channel | Rota]]) -> None:
    for pointer, row in named:
        if site is not None and row.site_id not in {None, site.pk}:
            raise OfAnotherSite("this is of another site than the route: they would never meet", pointer=pointer)


def _pointers(written: Mapping[str, Any], kind: str) -> Iterator[tuple[str, int]]:
    """Everything of a kind that a route names, with where."""
    own = written.get("channel_ids" if kind == "channels" else kind) or []
    yield from ((f"/{kind}/{number}", pk) for number, pk in enumerate(own))
    for row, told in enumerate(written.get("escalation") or []):
        yield from ((f"/escalation/{row}/{kind}/{number}", pk) for number, pk in enumerate(told.get(kind, [])))


def _named(route: Route) -> dict[str, Any]:
    return {
        "channel_ids": route.channel_ids,
        "people": route.people,
        "rotas": route.rotas,
        "escalation": route.escalation,
    }


def _all(written: Mapping[str, Any]) -> dict[str, set[int]]:
    return {kind: {pk for _, pk in _pointers(written, kind)} for kind in KINDS}
