"""Reads of telling people: the facts of alerts, which routes take them, what waits, and what can be sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db.models import Exists, Min, OuterRef, Q, QuerySet

from techtrack.accounts.domain.access import Access
from techtrack.accounts.events import PersonalDataAsked
from techtrack.accounts.models import User
from techtrack.alerts.domain.tidings import FAILED
from techtrack.alerts.models import Alert, AlertEvent
from techtrack.alerts.queries import IN_SIGHT
from techtrack.assets.models import Asset, Parameter
from techtrack.core.rows import Section, naming
from techtrack.notifications.domain.grouping import DIGEST, RETURNED
from techtrack.notifications.domain.message import Facts, Message, compose, told_from_json
from techtrack.notifications.domain.routing import Labels, Matcher, matches
from techtrack.notifications.models import (
    LETTER,
    Channel,
    Delivery,
    DeliveryQuerySet,
    DeliveryState,
    Group,
    Notice,
    Preference,
    Rota,
    Route,
)
from techtrack.notifications.models.secrets import shown

MOST_GROUPS = 500
# How the last attempt of a channel went; NEW had none.
FARING = WORKED, NEW, FAILING = "worked", "new", "failing"
NO_VERSION = 0
# Names in one statement; SQLite takes 32,766.
ASKED_AT_ONCE = 5000
_TOLD = ("delivery__channel", "delivery__route", "delivery__created_at")
_KNOWN = (
    "pk",
    "severity",
    "asset__site",
    "raised_at",
    "active",
    "unseen",
    "taken",
)
# What waits for somebody to take it; of what is hidden nobody is told.
WAITING = Q(
    alert__active=True,
    alert__acknowledged_at=None,
    alert__shelved_until=None,
    alert__suppressed_by="",
    alert__out_of_service_until=None,
    alert__late=False,
)


class Known(NamedTuple):
    """An alert as decisions about telling need it: there may be thousands."""

    pk: int
    severity: str
    site_id: int | None
    raised_at: datetime
    active: bool
    hidden: bool
    acknowledged: bool

    @property
    def waits(self) -> bool:
        """Whether it waits for somebody to take it."""
        return self.active and not self.acknowledged and not self.hidden


def alert_to_tell(alert_id: int) -> Alert:
    """The alert with everything that a message says of it, in one query."""
    return Alert.objects.select_related("asset__site", "asset__type", "rule").get(pk=alert_id)


def routes_for(alert: Alert) -> list[Route]:
    """The enabled routes that take ``alert``, in the order of their ids."""
    asset = alert.asset
    labels = Labels(
        site_id=asset.site_id,
        severity=alert.severity,
        asset_type=asset.type.slug if asset.type else None,
        tags=frozenset(asset.tags),
    )
    rows = Route.objects.filter(Q(site=None) | Q(site=asset.site_id), enabled=True)
    return [route for route in rows.select_related("asset_type").order_by("pk") if matches(labels, _matcher(route))]


def labels_to_group(alert: Alert) -> dict[str, int | str | None]:
    """The labels by which routes may group an alert."""
    asset = alert.asset
    return {
        "site": asset.site_id,
        "asset": asset.pk,
        "asset_type": asset.type.slug if asset.type else None,
        "severity": alert.severity,
        "rule": alert.rule_id,
        "parameter": alert.parameter,
    }


def alerts_to_tell(ids: Iterable[int]) -> dict[int, Alert]:
    """Alerts with everything that messages say of them, by id."""
    return Alert.objects.select_related("asset__site", "asset__type", "rule").in_bulk(set(ids))


def known(ids: Iterable[int]) -> dict[int, Known]:
    """What decisions about telling need of alerts, by id, however many they are."""
    found: dict[int, Known] = {}
    for part in parts(sorted(set(ids))):
        rows = Alert.objects.filter(pk__in=part).annotate(unseen=~IN_SIGHT, taken=Q(acknowledged_at__isnull=False))
        found |= {row[0]: Known(*row) for row in rows.values_list(*_KNOWN)}
    return found


def parts(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """Cut into parts that a statement can name."""
    yield from (ids[at : at + ASKED_AT_ONCE] for at in range(0, len(ids), ASKED_AT_ONCE))


def standing(groups: Iterable[Group]) -> dict[int, set[int]]:
    """By group, the ids of its alerts that wait for somebody: told, active, in sight and not acknowledged.

    An alert belongs to the group in which its route last told of it: it moves when a label changes, such as severity.
    """
    found: dict[int, set[int]] = defaultdict(set)
    for group, alert in _standing(groups).values_list("group", "alert"):
        found[group].add(alert)
    return found


def anything_stands(group: Group, *, besides: Collection[int]) -> bool:
    """Whether any other alert of a group waits for somebody."""
    return _standing([group]).exclude(alert__in=besides).exists()


def _standing(groups: Iterable[Group]) -> QuerySet[Notice]:
    elsewhere = Notice.objects.filter(alert=OuterRef("alert"), route=OuterRef("route"), pk__gt=OuterRef("pk"))
    rows = Notice.objects.filter(WAITING, group__in=list(groups), told_at__isnull=False)
    return rows.filter(~Exists(elsewhere.exclude(key=OuterRef("key"))))


def told_of(alerts: Iterable[int]) -> dict[int, dict[int, dict[int | None, datetime]]]:
    """By alert and channel, which routes have told the channel of the alert, and when first.

    None stands for routes that are gone.
    """
    found: dict[int, dict[int, dict[int | None, datetime]]] = defaultdict(lambda: defaultdict(dict))
    for part in parts(sorted(set(alerts))):
        rows = Delivery.alerts.through.objects.filter(alert__in=part).exclude(delivery__event=DIGEST)
        for alert, channel, route, at in rows.order_by("pk").values_list("alert", *_TOLD):
            found[alert][channel].setdefault(route, at)
    return found


def facts_of(alert: Alert, *, event: str, public_url: str) -> Facts:
    """What a message about ``event`` of ``alert`` says, in the time zone of the asset's site."""
    asset = alert.asset
    zone = _zone(asset)
    guidance = alert.rule.guidance if alert.rule else {}
    returned = event == "returned" and alert.returned_at
    return Facts(
        event=event,
        severity=alert.severity,
        title=alert.title,
        site=asset.site.name if asset.site else "",
        asset=asset.name,
        parameter=alert.parameter,
        value=alert.value,
        limit=alert.limit,
        unit=_unit(asset, alert.parameter),
        since=alert.raised_at.astimezone(zone),
        returned_at=returned.astimezone(zone) if returned else None,
        link=f"{public_url}/alerts/{alert.pk}/",
        origin=_origin(asset),
        advice=str(guidance.get("action") or ""),
        alert=alert.pk,
        rule=alert.rule.name if alert.rule else "",
        asset_id=asset.pk,
        asset_type=asset.type.slug if asset.type else "",
        description=alert.description,
    )


def colleagues(by: Access, ids: Iterable[int]) -> set[int]:
    """Those of ``ids`` who are people that share a site with the caller."""
    sites, rows = by.sites(), User.objects.filter(pk__in=set(ids))
    if sites is not None:
        rows = rows.filter(Q(memberships__site__in=sites) | Q(memberships__site=None, memberships__isnull=False))
    return set(rows.values_list("pk", flat=True))


def preference_of(user_id: int) -> Preference:
    """How a person wants to be told; what is told of one who has said nothing is not stored, and has NO_VERSION."""
    found = Preference.objects.filter(user=user_id).first()
    return found or Preference(user_id=user_id, version=NO_VERSION, digest_at=time(7))


def heard(since: Mapping[tuple[int, int], datetime]) -> set[tuple[int, int, int, bool]]:
    """Which channels another route has told already of what a route is to tell: channel, alert, route, is it over.

    ``since`` says when that happened, by alert and route. What a message said of this very alert stands in the notices
    that were told with it: another alert in the message may have returned, or not. Their time counts, which routes that
    are told of one thing have in common, and not that of the message, which its teller took from a clock of its own,
    before it looked.
    """
    happened: dict[int, list[tuple[int, datetime]]] = defaultdict(list)
    for (alert, route), at in since.items():
        happened[alert].append((route, at))
    found: set[tuple[int, int, int, bool]] = set()
    for part in parts(sorted(happened)):
        earliest = min(at for alert in part for _, at in happened[alert])
        last = _told_last(part, earliest)
        begin = min([earliest, *(at for _, _, at in last)])
        rows = Delivery.alerts.through.objects.filter(alert__in=part, delivery__created_at__gte=begin)
        for alert, channel, by, at in rows.exclude(delivery__event=DIGEST).values_list("alert", *_TOLD):
            # What repeats or escalates tells of no notice, and of all that was by then.
            event, known = last.get((alert, by, at), ("", at))
            found |= {
                (channel, alert, route, event == RETURNED)
                for route, moment in happened[alert]
                if route != by and known >= moment
            }
    return found


def _told_last(
    alerts: Collection[int], since: datetime
) -> dict[tuple[int, int | None, datetime], tuple[str, datetime]]:
    """What was told last of each alert, and when it happened, by route and moment of telling.

    Routes that tell of no return had nothing else to say.
    """
    said = Q(route__tell_returned=True) | ~Q(event=RETURNED)
    happened = Q(created_at__gte=since) | Q(told_at__gte=since)
    rows = Notice.objects.filter(said, happened, alert__in=alerts, told_at__isnull=False).order_by("pk")
    told = rows.values_list("alert", "route", "told_at", "event", "created_at")
    return {(alert, route, at): (event, created) for alert, route, at, event, created in told if at is not None}


def groups_due(now: datetime) -> list[int]:
    """The ids of groups that are to be looked at, the longest due first."""
    return list(Group.objects.filter(due_at__lte=now).order_by("due_at").values_list("pk", flat=True)[:MOST_GROUPS])


def groups_put_off() -> int:
    """How many groups have something to tell, and could not be told of it: the history of its alerts says why."""
    # What a channel did not take has an error and no route.
    said = AlertEvent.objects.filter(kind=FAILED, evidence__has_keys=["route", "error"])
    said = said.filter(alert=OuterRef("alert"), recorded_at__gte=OuterRef("created_at"))
    untold = Notice.objects.filter(Exists(said), told_at=None, group__isnull=False)
    return untold.values("group").distinct().count()


def channels_held(now: datetime) -> list[int]:
    """The ids of channels for which something was held that has come due."""
    held = Delivery.objects.filter(state=DeliveryState.HELD, next_attempt_at__lte=now)
    return list(held.order_by("channel").values_list("channel", flat=True).distinct())


def message_of(delivery: Delivery) -> Message:
    """What the transport of a delivery carries."""
    told, more = told_from_json(delivery.facts)
    message = compose(told, more=more) if told else Message(delivery.subject, delivery.body)
    group = str(delivery.group_id or delivery.pk)
    message = replace(message, subject=delivery.subject, text=delivery.body, group=group)
    channel = delivery.channel
    # A text of the channel's own is what it wants on a phone, too.
    short = " ".join(delivery.body.split()) if channel.body_template else message.short
    return replace(message, short=short, receiver=channel.name, reached=frozenset(delivery.reached))


def free(now: datetime) -> Q:
    """Says of deliveries that they wait, their time has come, and nobody holds them."""
    unheld = Q(lease_until=None) | Q(lease_until__lte=now)
    return unheld & Q(state=DeliveryState.PENDING, next_attempt_at__lte=now)


def due(now: datetime) -> DeliveryQuerySet:
    """Deliveries that can be sent, the gravest first; a channel that rests or is switched off sends none."""
    rested = Q(channel__retry_at=None) | Q(channel__retry_at__lte=now)
    return Delivery.objects.filter(free(now), rested, channel__enabled=True).order_by("place", "next_attempt_at", "pk")


def channels_due(now: datetime) -> list[tuple[int, str]]:
    """The ids of channels that have something to send, with how they fare (FARING); those that worked first."""
    rows = due(now).order_by().values("channel", "channel__failing_since", "channel__last_sent_at")
    found = [
        (
            FARING.index(_faring(row["channel__failing_since"], row["channel__last_sent_at"])),
            row["first"],
            row["channel"],
        )
        for row in rows.annotate(first=Min("next_attempt_at"))
    ]
    return [(channel, FARING[place]) for place, _, channel in sorted(found)]


def _faring(failing_since: datetime | None, last_sent_at: datetime | None) -> str:
    if failing_since is not None:
        return FAILING
    return WORKED if last_sent_at else NEW


def _matcher(route: Route) -> Matcher:
    return Matcher(
        site_id=route.site_id,
        asset_type=route.asset_type.slug if route.asset_type else None,
        minimum_severity=route.minimum_severity,
        tags=frozenset(route.tags),
    )


def _zone(asset: Asset) -> tzinfo:
    try:
        return ZoneInfo(asset.site.timezone) if asset.site else UTC
    except (ZoneInfoNotFoundError, ValueError):
        # A zone that this machine does not know must not keep an alarm from being told.
        return UTC


def _unit(asset: Asset, code: str) -> str:
    """The unit of a parameter: as the asset's type has it, else as the parameter has it."""
    for entry in asset.type.parameters if asset.type else []:
        if entry.get("code") == code and entry.get("unit"):
            return str(entry["unit"])
    return Parameter.objects.filter(code=code).values_list("unit", flat=True).first() or ""


def _origin(asset: Asset) -> tuple[str, ...]:
    """What must be said of data that were not measured here and now."""
    marks = {name: asset.attributes.get(name) for name in ("simulated", "replayed")}
    return tuple(mark if isinstance(mark, str) else name for name, mark in marks.items() if mark)


def personal_data(asked: PersonalDataAsked) -> Iterator[Section]:
    """Answer with how the person is told of what, where to, and what went there; secrets of channels are masked."""
    person = asked.user_id
    yield naming(Preference, person, "user")
    label, channels = naming(Channel, person, "owner")
    yield label, ({**row, "config": shown(row["config"])} for row in channels)
    # The words of a letter about the account are made when it is sent, and lie nowhere.
    label, rows = naming(Delivery, person, "person", "channel__owner")
    yield label, ({**row, "body": ""} if row["event"] == LETTER else row for row in rows)
    yield (
        "notifications.route",
        ({"id": row.pk, "name": row.name} for row in Route.objects.all() if _names(row, person)),
    )
    yield "notifications.rota", ({"id": row.pk, "name": row.name} for row in Rota.objects.all() if person in row.people)


def _names(route: Route, person: int) -> bool:
    return person in route.people or any(person in step.get("people", []) for step in route.escalation)
