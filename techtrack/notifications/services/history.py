"""Writes into the history of alerts who was told of them, and who could not be."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from techtrack.alerts.domain.tidings import FAILED, NOTIFIED
from techtrack.alerts.models import AlertEvent
from techtrack.alerts.services import note_telling
from techtrack.notifications.domain.grouping import ESCALATED, RAISED
from techtrack.notifications.models import Delivery, Notice, Route
from techtrack.notifications.services.keeping import keep_alerts


def note_told(delivery: Delivery, *, now: datetime) -> None:
    """Note with each alert of a message that its channel has it.

    First in the transaction of that: whoever deletes an alert locks it before its messages, and they their channel.
    """
    _note(delivery, NOTIFIED, {}, now)


def note_failed(deliveries: Iterable[Delivery], error: str, *, now: datetime) -> None:
    """Note with each alert of messages that they were given up, and why; first in the transaction, as above."""
    for delivery in deliveries:
        _note(delivery, FAILED, {"error": error}, now)


def note_nobody(alerts: Collection[int], route: Route, *, row: int | None, now: datetime) -> None:
    """Note with alerts, kept by now, that a route, or the ``row`` of its escalation (from 1), reached nobody."""
    evidence = {"event": ESCALATED if row else RAISED, "route": route.pk, "route_name": route.name}
    note_telling(alerts=alerts, kind=FAILED, evidence=evidence | ({"row": row} if row else {}), now=now)


def note_broken(group: int, error: str, *, now: datetime) -> int:
    """Note with alerts of a group that cannot be told, and why, once for each time that they are to be.

    Return how many there are.
    """
    untold = Notice.objects.filter(group=group, told_at=None).select_related("route")
    first = untold.order_by("pk").first()
    if first is None:
        return 0
    since = dict(untold.order_by("-pk").values_list("alert", "created_at"))
    keep_alerts(sorted(since))
    noted = AlertEvent.objects.filter(kind=FAILED, alert__in=untold.values("alert"), recorded_at__gte=first.created_at)
    known = {alert for alert, at in noted.values_list("alert", "recorded_at") if at >= since.get(alert, at)}
    evidence = {"event": first.event, "route": first.route_id, "route_name": first.route.name, "error": error}
    note_telling(alerts=sorted(since.keys() - known), kind=FAILED, evidence=evidence, now=now)
    return len(since)


def _note(delivery: Delivery, kind: str, evidence: dict[str, Any], now: datetime) -> None:
    links = Delivery.alerts.through.objects.filter(delivery=delivery.pk).order_by("alert")
    alerts = list(links.values_list("alert", flat=True)) or [pk for pk in (delivery.alert_id,) if pk]
    if not alerts:
        return
    keep_alerts(alerts)
    told = {"event": delivery.event, "way": delivery.channel.kind, "delivery": str(delivery.pk), **_whom(delivery)}
    note_telling(alerts=alerts, kind=kind, evidence=told | evidence, now=now)


def _whom(delivery: Delivery) -> dict[str, Any]:
    """Whom a message is for: a person, by id; what that person calls a channel may be the number of a telephone."""
    person = delivery.person_id or delivery.channel.owner_id
    shared = {"channel": delivery.channel_id, "channel_name": delivery.channel.name}
    return shared if person is None else {"person": person}
