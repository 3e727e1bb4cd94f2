"""Makes the message of some alerts to a channel: its words and facts, and what it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.conf import settings

from techtrack.alerts.models import Alert
from techtrack.notifications import queries
from techtrack.notifications.domain.grouping import EVENTS, gravest
from techtrack.notifications.domain.message import Templates, compose, to_json
from techtrack.notifications.models import Channel, Delivery


def message_to(channel: Channel, alerts: Sequence[Alert], reasons: Mapping[int, str], *, now: datetime) -> Delivery:
    """Return the message, not saved yet; ``reasons`` says of each alert (by id) why it is told."""
    facts = [queries.facts_of(one, event=reasons[one.pk], public_url=settings.PUBLIC_URL) for one in alerts]
    message = compose(facts, Templates(channel.subject_template, channel.body_template))
    sites = {alert.asset.site_id for alert in alerts}
    return Delivery(
        channel=channel,
        alert=alerts[0] if len(alerts) == 1 else None,
        site_id=sites.pop() if len(sites) == 1 else None,
        event=min((reasons[alert.pk] for alert in alerts), key=EVENTS.index),
        severity=gravest(alert.severity for alert in alerts),
        subject=message.subject,
        body=message.text,
        facts=[to_json(one) for one in facts],
        next_attempt_at=now,
        created_at=now,
    )
