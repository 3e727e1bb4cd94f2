"""Writes a message as data, for other programs: TechTrack's own form, and that of the Alertmanager (version 4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from techtrack.notifications.domain.message import Facts, Message, headline, quantity, to_json

# What the Alertmanager writes for "not yet": Go's zero time.
NEVER = "0001-01-01T00:00:00Z"


def own(message: Message, delivery_id: str) -> dict[str, Any]:
    """Return the message as TechTrack writes it: type, time and data, as Standard Webhooks proposes."""
    return {
        "type": f"alert.{message.facts[0].event if message.facts else 'test'}",
        "timestamp": _when(message).isoformat() if message.facts else None,
        "data": {
            "delivery": delivery_id,
            "status": message.status,
            "group": message.group,
            "channel": message.receiver,
            "subject": message.subject,
            "text": message.text,
            "link": message.link,
            "alerts": [to_json(facts) for facts in message.facts],
            "truncatedAlerts": message.truncated,
        },
    }


def alertmanager(message: Message, *, public_url: str) -> dict[str, Any]:
    """Return the message as the Alertmanager posts it: every field of version 4, and no other."""
    alerts = [_alert(facts) for facts in message.facts]
    labels = [alert["labels"] for alert in alerts]
    return {
        "version": "4",
        "groupKey": message.group,
        "truncatedAlerts": message.truncated,
        "status": message.status,
        "receiver": message.receiver,
        "groupLabels": _common(labels),
        "commonLabels": _common(labels),
        "commonAnnotations": _common([alert["annotations"] for alert in alerts]),
        "externalURL": public_url,
        "alerts": alerts,
    }


def _alert(facts: Facts) -> dict[str, Any]:
    labels = {
        "alertname": facts.rule or facts.title,
        "severity": facts.severity,
        "site": facts.site,
        "asset": facts.asset,
        "asset_type": facts.asset_type,
        "parameter": facts.parameter,
        # Two alerts of one name on one asset are two: receivers tell alerts apart by their labels.
        "alert": str(facts.alert),
    }
    annotations = {
        "summary": headline(facts),
        "description": facts.description or facts.title,
        "value": quantity(facts.value, facts.unit),
        "limit": quantity(facts.limit, facts.unit),
        "data": "; ".join(facts.origin),
        "advice": facts.advice,
    }
    labels = _filled(labels)
    return {
        "status": facts.status,
        "labels": labels,
        "annotations": _filled(annotations),
        "startsAt": _utc(facts.since),
        "endsAt": _utc(facts.returned_at) if facts.returned_at else NEVER,
        "generatorURL": facts.link,
        "fingerprint": _fingerprint({name: text for name, text in labels.items() if name != "severity"}),
    }


def _common(all_of_them: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """What every one of them has."""
    if not all_of_them:
        return {}
    first, *others = all_of_them
    return {name: text for name, text in first.items() if all(other.get(name) == text for other in others)}


def _filled(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in labels.items() if text}


def _fingerprint(labels: Mapping[str, str]) -> str:
    """Sixteen hexadecimal digits, the same for the same labels: an alert that gets graver stays the same one."""
    return sha256(repr(sorted(labels.items())).encode()).hexdigest()[:16]


def _when(message: Message) -> datetime:
    return max(_moments(message.facts)).astimezone(UTC)


def _moments(told: Iterable[Facts]) -> list[datetime]:
    return [facts.returned_at or facts.since for facts in told]


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
