"""What every write of alerts tells: its event in the history, and the facts that others hear."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from techtrack.accounts.domain.access import Access
from techtrack.alerts import queries
from techtrack.alerts.events import AlertChanged, AlertRaised, AlertReturned, AssetHealthChanged
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


def announced(alert: Alert, now: datetime, open_task: dict[str, Any] | None = None) -> AlertRaised:
    """Return the fact that people are to be told of the alert, (once) more."""
    return AlertRaised(
        alert_id=alert.pk,
        asset_id=alert.asset_id,
        site_id=alert.asset.site_id,
        severity=alert.severity,
        at=now,
        again=True,
        open_task=open_task,
    )


def in_sight(alert: Alert, now: datetime) -> list[object]:
    """Return what is to be told of an alert that somebody, or time, has just brought back into sight.

    ISA-18.2: what is still wrong is announced again, and what was raised out of sight has opened no task yet. Whoever
    was told of it before waits to hear that it is over.
    """
    if alert.hidden:
        return []
    if not alert.active:
        return [returned(alert, now)]
    open_task = alert.rule.open_task if alert.rule else None
    return [] if alert.acknowledged_at else [announced(alert, now, open_task)]


def health(asset_id: int) -> AssetHealthChanged:
    """Return the fact how bad the asset's alerts are now."""
    return AssetHealthChanged(asset_id=asset_id, worst=queries.worst_active_severity(asset_id))


def healths(alerts: Iterable[Alert]) -> list[object]:
    """Return the same of the assets of several alerts, in the order in which everybody locks what is kept of them."""
    return [health(asset) for asset in sorted({alert.asset_id for alert in alerts})]


def publish(facts: Iterable[object]) -> None:
    """Publish ``facts``, AlertChanged last: its listener takes the lock under which live events are numbered."""
    events.publish_all(sorted(facts, key=lambda fact: isinstance(fact, AlertChanged)))
