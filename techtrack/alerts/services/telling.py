"""What every write of alerts tells: its event in the history, and how bad its asset is; and who was told of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

from techtrack.accounts.domain.access import Access
from techtrack.alerts import queries
from techtrack.alerts.events import AlertChanged, AssetHealthChanged
from techtrack.alerts.models import Alert, AlertEvent
from techtrack.core import events

# Of a cascade, thousands are told of at once.
WRITTEN_AT_ONCE = 1000


def happening(  # noqa: PLR0913 - these are the columns of the history
    alert: Alert,
    kind: str,
    *,
    by: Access | None,
    now: datetime,
    at: datetime | None = None,
    before: str = "",
    comment: str = "",
    evidence: dict[str, Any] | None = None,
) -> AlertEvent:
    """Make the event of what just happened to ``alert``, whose state was ``before``; nobody has done what time does."""
    return AlertEvent(
        alert=alert,
        kind=kind,
        at=at or now,
        recorded_at=now,
        # The platform itself acts as nobody.
        actor_id=by.user_id or None if by else None,
        before=before,
        after=alert.state,
        comment=comment,
        evidence=evidence or {},
    )


def health(asset_id: int) -> AssetHealthChanged:
    """Return the fact how bad the asset's alerts are now."""
    return AssetHealthChanged(asset_id=asset_id, worst=queries.worst_active_severity(asset_id))


def healths(alerts: Iterable[Alert]) -> list[object]:
    """Return the same of the assets of several alerts, in the order in which everybody locks what is kept of them."""
    return [health(asset) for asset in sorted({alert.asset_id for alert in alerts})]


def publish(facts: Iterable[object]) -> None:
    """Publish ``facts``, AlertChanged last: its listener takes the lock under which live events are numbered."""
    events.publish_all(sorted(facts, key=lambda fact: isinstance(fact, AlertChanged)))


def note_telling(*, alerts: Collection[int], kind: str, evidence: Mapping[str, Any], now: datetime) -> None:
    """Write into the history of alerts that somebody was told of them, or was not (domain/tidings.py TELLINGS).

    Call it in the transaction in which that is so, and keep the alerts from being deleted before.
    """
    rows = (AlertEvent(alert_id=pk, kind=kind, at=now, recorded_at=now, evidence=evidence) for pk in alerts)
    while part := list(islice(rows, WRITTEN_AT_ONCE)):
        AlertEvent.objects.bulk_create(part)
