"""What is put into a message when it is sent: a chart of the readings, and a link that takes the alert."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta

from django.conf import settings
from django.core import signing

from techtrack.alerts.models import Alert
from techtrack.core.clock import to_micros
from techtrack.core.errors import NotFound
from techtrack.notifications.domain.chart import Curve, draw
from techtrack.notifications.domain.message import Facts, Message
from techtrack.notifications.models import Delivery
from techtrack.telemetry import queries as telemetry

_log = logging.getLogger(__name__)
# Who is away for a week has other ways to an alert.
LINK_AGE = timedelta(days=3)
_SALT = "techtrack.notifications.acknowledge"
BEFORE, LONGEST = timedelta(hours=1), timedelta(hours=24)
POINTS = 300
# A chart takes longer than all else of a message: in a flood the first have one, and none of the others waits for it.
PROMPT = timedelta(minutes=1)
WITH_CHART = frozenset({"email"})
# Conditions whose limit is one of the parameter's values; with the others it is a rate, a deviation or a time.
PLAIN = frozenset({"above", "below", "outside", "inside", "air_quality"})


class LinkGone(NotFound):
    """The link is not one of ours, or its time is over, or what it led to is gone."""

    code = "link_gone"


def enclosed(message: Message, delivery: Delivery, *, now: datetime, plant_now: datetime) -> Message:
    """Return the message of a delivery with what can be added to it; nothing that fails here keeps it from going."""
    wanted = delivery.channel.kind in WITH_CHART and now - delivery.created_at <= PROMPT
    chart = _chart(message.facts[0], plant_now) if message.facts and wanted else None
    return replace(message, chart=chart, acknowledge=_link(message, delivery))


def read_link(token: str) -> tuple[Delivery, int]:
    """Return the delivery that a link was sent with, and the id of the person it was sent to.

    Raises:
        LinkGone: it leads nowhere, or not any more.
    """
    try:
        found = signing.loads(token, salt=_SALT, max_age=LINK_AGE)
    except signing.BadSignature as error:
        raise LinkGone("This link is not valid any more: open the alert and log in.") from error
    delivery = Delivery.objects.filter(pk=found["delivery"]).first()
    if delivery is None:
        raise LinkGone("What this link led to is gone.")
    return delivery, int(found["person"])


def _link(message: Message, delivery: Delivery) -> str:
    """The address that takes the alerts: for one person without log-in, for a shared channel the alert's page."""
    if message.status != "firing":
        return ""
    person = delivery.person_id or delivery.channel.owner_id
    if person is None:
        return message.link
    token = signing.dumps({"delivery": str(delivery.pk), "person": person}, salt=_SALT)
    return f"{settings.PUBLIC_URL}/acknowledge/{token}/"


def _chart(facts: Facts, plant_now: datetime) -> bytes | None:
    if not facts.asset_id or not facts.parameter:
        return None
    try:
        return _drawn(facts, plant_now)
    except Exception:  # noqa: BLE001 - whatever is wrong with the readings, the message must go
        _log.warning("no chart for alert %s", facts.alert, exc_info=True)
        return None


def _drawn(facts: Facts, plant_now: datetime) -> bytes | None:
    alert = Alert.objects.get(pk=facts.alert)
    end = min(facts.returned_at or plant_now, facts.since + LONGEST)
    span = to_micros(facts.since - BEFORE), to_micros(max(end, facts.since)) + 1
    series = alert.asset_id, facts.parameter
    drawn = telemetry.thinned([alert.asset_id], codes=[facts.parameter], span=span, points=POINTS)
    if series not in drawn:
        return None
    times, values = drawn[series]
    zone = facts.since.tzinfo
    assert zone is not None  # noqa: S101 - facts carry a time zone
    limit = facts.limit if alert.condition in PLAIN else None
    return draw(Curve(times, values, facts.unit, limit, facts.since, zone))
