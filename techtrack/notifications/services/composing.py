"""Makes the message of some alerts to a channel: its words and facts, and what it is about."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from django.conf import settings

from techtrack.alerts.domain.condition import SEVERITIES
from techtrack.alerts.models import Alert
from techtrack.notifications import queries
from techtrack.notifications.domain.grouping import EVENTS, RETURNED, gravest
from techtrack.notifications.domain.message import MOST_SHOWN, Facts, Message, Templates, compose, counts, told_to_json
from techtrack.notifications.models import Channel, Delivery
from techtrack.notifications.queries import Known

_log = logging.getLogger(__name__)
WRITTEN_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Draft:
    """What a channel is to be told: alerts, at least one, and of each by its id why it is told."""

    channel: Channel
    alerts: Sequence[Known]
    reasons: Mapping[int, str]


def messages_of(drafts: Sequence[Draft], *, now: datetime) -> list[Delivery]:
    """Return the messages, not saved yet. Of a cascade each shows its gravest alerts and counts the others."""
    in_order = [sorted(draft.alerts, key=lambda one, told=draft.reasons: _gravity(one, told)) for draft in drafts]  # type: ignore[misc]
    shown = {alert.pk for alerts in in_order for alert in alerts[:MOST_SHOWN]}
    full = queries.alerts_to_tell(shown)
    return [_message(draft, alerts, full, now) for draft, alerts in zip(drafts, in_order, strict=True)]


def link(message: Delivery, alerts: Sequence[Known]) -> None:
    """Write down which alerts a message, saved by now, is about."""
    through = Delivery.alerts.through
    rows = (through(delivery_id=message.pk, alert_id=alert.pk) for alert in alerts)
    while part := list(islice(rows, WRITTEN_AT_ONCE)):
        through.objects.bulk_create(part)


def _gravity(alert: Known, reasons: Mapping[int, str]) -> tuple[bool, int, datetime]:
    return reasons[alert.pk] == RETURNED, -SEVERITIES.index(alert.severity), alert.raised_at


def _message(draft: Draft, in_order: Sequence[Known], full: Mapping[int, Alert], now: datetime) -> Delivery:
    channel, reasons = draft.channel, draft.reasons
    shown = [full[alert.pk] for alert in in_order[:MOST_SHOWN] if alert.pk in full]
    facts = [_facts(alert, reasons[alert.pk]) for alert in shown]
    more = counts((alert.severity, reasons[alert.pk] != RETURNED) for alert in in_order[MOST_SHOWN:])
    message = _worded(channel, facts, more)
    sites = {alert.site_id for alert in in_order}
    return Delivery(
        channel=channel,
        alert_id=in_order[0].pk if len(in_order) == 1 else None,
        site_id=sites.pop() if len(sites) == 1 else None,
        event=min((reasons[alert.pk] for alert in in_order), key=EVENTS.index),
        severity=gravest({alert.severity for alert in in_order}),
        subject=message.subject,
        body=message.text,
        facts=told_to_json(facts, more),
        next_attempt_at=now,
        created_at=now,
    )


def _worded(channel: Channel, facts: Sequence[Facts], more: Mapping[str, int]) -> Message:
    """Word a message as its channel wants it, or in our words: a template that breaks must not keep it."""
    own = Templates(channel.subject_template, channel.body_template)
    if own == Templates():
        return compose(facts, own, more)
    try:
        return compose(facts, own, more)
    except Exception:  # noqa: BLE001 - whatever is wrong with the words, the message must go
        _log.exception("the templates of channel %s break: its messages are in the built-in words", channel.pk)
        return compose(facts, Templates(), more)


def _facts(alert: Alert, event: str) -> Facts:
    """Tell what is known of an alert; whatever is wrong with its asset or rule, that it is there must be told."""
    try:
        return queries.facts_of(alert, event=event, public_url=settings.PUBLIC_URL)
    except Exception:  # noqa: BLE001 - as above
        _log.exception("alert %s is told in the barest words", alert.pk)
        return _barest(alert, event)


def _barest(alert: Alert, event: str) -> Facts:
    return Facts(
        event=event,
        severity=alert.severity,
        title=alert.title,
        site="",
        asset="",
        parameter=alert.parameter,
        value=alert.value,
        limit=alert.limit,
        unit="",
        since=alert.raised_at.astimezone(UTC),
        returned_at=alert.returned_at if event == RETURNED else None,
        link=f"{settings.PUBLIC_URL}/alerts/{alert.pk}/",
        alert=alert.pk,
    )
