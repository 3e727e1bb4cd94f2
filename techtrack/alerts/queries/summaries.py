"""Reads of alerts for other doors: how bad an asset's alerts are, and what would go with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from techtrack.accounts.domain.access import Access
from techtrack.alerts.domain.condition import SEVERITIES
from techtrack.alerts.models import Alert
from techtrack.assets.events import WhatHolds
from techtrack.core.clock import isoformat

MOST_SHOWN = 500


def worst_active_severity(asset_id: int, *, besides: int | None = None) -> str | None:
    """Return the worst severity among the asset's active alerts but ``besides``, None where none is active."""
    rows = Alert.objects.filter(asset=asset_id, active=True).order_by()
    active = rows if besides is None else rows.exclude(pk=besides)
    return max(active.values_list("severity", flat=True).distinct(), key=SEVERITIES.index, default=None)


def what_we_hold(question: WhatHolds) -> Iterator[str]:
    """Answer what alerts keep of an asset (connected to ``WhatHolds``)."""
    count = Alert.objects.filter(asset=question.asset_id).count()
    if count:
        yield f"{count} alert{'s' if count > 1 else ''}"


def summary(alert_id: int) -> dict[str, Any]:
    """Return an alert as open pages and subscribers get it."""
    return _summary(Alert.objects.select_related("asset", "acknowledged_by").get(pk=alert_id))


def open_summaries(access: Access, *, site_id: int | None = None) -> list[dict[str, Any]]:
    """Return the open alerts that the caller may see, newest first; ``site_id`` 0 means assets without a site."""
    rows = Alert.objects.visible_to(access).filter(is_open=True).select_related("asset", "acknowledged_by")
    if site_id is not None:
        rows = rows.filter(asset__site=site_id or None)
    return [_summary(alert) for alert in rows[:MOST_SHOWN]]


def _summary(alert: Alert) -> dict[str, Any]:
    moments = {
        name: isoformat(moment) if (moment := getattr(alert, name)) else None
        for name in ("raised_at", "returned_at", "acknowledged_at")
    }
    facts = ("severity", "title", "state", "status", "active", "occurrences", "value", "limit", "version", "parameter")
    return {
        "id": alert.pk,
        "asset": alert.asset_id,
        alert.asset.kind: alert.asset_id,
        "asset_name": alert.asset.name,
        "site": alert.asset.site_id,
        "rule": alert.rule_id,
        "acknowledged_by": alert.acknowledged_by_id,
        "acknowledged_by_name": alert.acknowledged_by.username if alert.acknowledged_by else None,
        **{name: getattr(alert, name) for name in facts},
        **moments,
    }
