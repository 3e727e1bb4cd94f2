"""Reads of telling people: the facts of alerts, which routes take them, what waits, and what can be sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, time, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db import connection
from django.db.models import Exists, Min, OuterRef, Q

from techtrack.accounts.domain.access import Access
from techtrack.accounts.models import User
from techtrack.alerts.models import Alert
from techtrack.assets.models import Asset, Parameter
from techtrack.notifications.domain.grouping import RETURNED
from techtrack.notifications.domain.message import Facts, Message, compose, from_json
from techtrack.notifications.domain.routing import Labels, Matcher, matches
from techtrack.notifications.models import Delivery, DeliveryQuerySet, DeliveryState, Group, Notice, Preference, Route

MOST_GROUPS = 500
# How the last attempt of a channel went; NEW had none.
FARING = WORKED, NEW, FAILING = "worked", "new", "failing"
NO_VERSION = 0
# Those that are told of now: a group that lives long has had thousands.
HOLD = """
SELECT id FROM alerts_alert
WHERE id IN (SELECT alert_id FROM notifications_notice WHERE group_id = ANY(%s) AND told_at IS NULL)
   OR active AND id IN (SELECT alert_id FROM notifications_notice WHERE group_id = ANY(%s))
ORDER BY id FOR NO KEY UPDATE
"""
# What waits for somebody to take it; of what is hidden nobody is told.
WAITING = Q(
    alert__active=True,
    alert__acknowledged_at=None,
    alert__shelved_until=None,
    alert__suppressed_by="",
    alert__out_of_service_until=None,
    alert__late=False,
)


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


def hold_alerts(groups: Iterable[Group]) -> None:
    """Keep the alerts of groups from being deleted until commit: who deletes one locks it, then its notices."""
    if connection.vendor != "postgresql":
        # Others write one after the other.
        return
    pks = [group.pk for group in groups]
    with connection.cursor() as cursor:
        # One teller at a time, too: the next sees which channels were told.
        cursor.execute(HOLD, [pks, pks])


def standing(groups: Iterable[Group]) -> dict[int, set[int]]:
    """By group, the ids of its alerts that wait for somebody: told, active, in sight and not acknowledged.

    An alert belongs to the group in which its route last told of it: it moves when a label changes, such as severity.
    """
    elsewhere = Notice.objects.filter(alert=OuterRef("alert"), route=OuterRef("route"), pk__gt=OuterRef("pk"))
    rows = Notice.objects.filter(WAITING, group__in=list(groups), told_at__isnull=False)
    rows = rows.filter(~Exists(elsewhere.exclude(key=OuterRef("key"))))
    found: dict[int, set[int]] = defaultdict(set)
    for group, alert in rows.values_list("group", "alert"):
        found[group].add(alert)
    return found


def told_of(alerts: Iterable[int], routes: Iterable[int]) -> dict[tuple[int, int], set[int]]:
    """By alert and route, the ids of the channels that were told of it."""
    rows = Delivery.alerts.through.objects.filter(alert__in=list(alerts), delivery__route__in=list(routes))
    found: dict[tuple[int, int], set[int]] = defaultdict(set)
    for alert, route, channel in rows.values_list("alert", "delivery__route", "delivery__channel"):
        found[alert, route].add(channel)
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


def heard(notices: Iterable[Notice]) -> set[tuple[int, int, int, bool]]:
    """Which channels another route has told already of what notices say: channel, alert, notice's route, is it over."""
    since = {(notice.alert_id, notice.route_id): notice.created_at for notice in notices}
    rows = Delivery.alerts.through.objects.filter(alert__in={alert for alert, _ in since})
    rows = rows.filter(delivery__created_at__gte=min(since.values(), default=None)) if since else rows.none()
    told = rows.values_list("delivery__channel", "alert", "delivery__route", "delivery__event", "delivery__created_at")
    return {
        (channel, alert, route, event == RETURNED)
        for channel, alert, by, event, at in told
        for (of, route), happened in since.items()
        if of == alert and route != by and at >= happened
    }


def groups_due(now: datetime) -> list[int]:
    """The ids of groups that are to be looked at, the longest due first."""
    return list(Group.objects.filter(due_at__lte=now).order_by("due_at").values_list("pk", flat=True)[:MOST_GROUPS])


def channels_held(now: datetime) -> list[int]:
    """The ids of channels for which something was held that has come due."""
    held = Delivery.objects.filter(state=DeliveryState.HELD, next_attempt_at__lte=now)
    return list(held.order_by("channel").values_list("channel", flat=True).distinct())


def message_of(delivery: Delivery) -> Message:
    """What the transport of a delivery carries."""
    told = [from_json(facts) for facts in delivery.facts]
    message = compose(told) if told else Message(delivery.subject, delivery.body)
    group = str(delivery.group_id or delivery.pk)
    message = replace(message, subject=delivery.subject, text=delivery.body, group=group)
    channel = delivery.channel
    # A text of the channel's own is what it wants on a phone, too.
    short = " ".join(delivery.body.split()) if channel.body_template else message.short
    return replace(message, short=short, receiver=channel.name)


def free(now: datetime) -> Q:
    """Says of deliveries that they wait, their time has come, and nobody holds them."""
    unheld = Q(lease_until=None) | Q(lease_until__lte=now)
    return unheld & Q(state=DeliveryState.PENDING, next_attempt_at__lte=now)


def due(now: datetime) -> DeliveryQuerySet:
    """Deliveries that can be sent, the longest due first; a channel that rests or is switched off sends none."""
    rested = Q(channel__retry_at=None) | Q(channel__retry_at__lte=now)
    return Delivery.objects.filter(free(now), rested, channel__enabled=True).order_by("next_attempt_at", "pk")


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
