"""The facts that others hear of an alert: made in this one place, whoever has changed it."""

from __future__ import annotations

from datetime import datetime

from techtrack.alerts.events import AlertChanged, AlertRaised, AlertReturned
from techtrack.alerts.models import Alert


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


def announced(alert: Alert, now: datetime, *, opens_task: bool = False) -> AlertRaised:
    """Return the fact that people are to be told of the alert, (once) more; ``opens_task``: as its rule wishes."""
    return AlertRaised(
        alert_id=alert.pk,
        asset_id=alert.asset_id,
        site_id=alert.asset.site_id,
        severity=alert.severity,
        at=now,
        again=True,
        open_task=alert.rule.open_task if opens_task and alert.rule else None,
    )


def waits(alert: Alert) -> bool:
    """Tell whether an alert waits for somebody to take it: of these people are told."""
    return alert.active and not alert.acknowledged_at and not alert.hidden


def in_sight(alert: Alert, now: datetime) -> list[object]:
    """Return what is to be told of an alert that somebody, something or time has just brought back into sight.

    ISA-18.2: what is still wrong is announced again, and what was raised out of sight has opened no task yet. Whoever
    was told of it before waits to hear that it is over.
    """
    if waits(alert):
        return [announced(alert, now, opens_task=True)]
    return [] if alert.active or alert.hidden else [returned(alert, now)]
