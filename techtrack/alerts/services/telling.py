"""What every write of alerts tells: its event in the history, and the facts that others hear."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from techtrack.accounts.domain.access import Access
from techtrack.alerts import queries
from techtrack.alerts.events import AlertChanged, AlertReturned, AssetHealthChanged
from techtrack.alerts.models import Alert, AlertEvent
from techtrack.core import events


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


def changed(alert: Alert, kind: str) -> AlertChanged:
    """Return the fact that watchers of the alert hear."""
    return AlertChanged(alert_id=alert.pk, site_id=alert.asset.site_id, event=kind)


def returned(alert: Alert, at: datetime) -> AlertReturned:
    """Return the fact that the trouble is over."""
    return AlertReturned(
        alert_id=alert.pk,
        asset_id=alert.asset_id,
        site_id=alert.asset.site_id,
        severity=alert.severity,
        at=at,
        hidden=alert.hidden,
    )


def health(asset_id: int) -> AssetHealthChanged:
    """Return the fact how bad the asset's alerts are now."""
    return AssetHealthChanged(asset_id=asset_id, worst=queries.worst_active_severity(asset_id))


def publish(facts: Iterable[object]) -> None:
    """Publish ``facts``, AlertChanged last: its listener takes the lock under which live events are numbered."""
    for fact in sorted(facts, key=lambda fact: isinstance(fact, AlertChanged)):
        events.publish(fact)
