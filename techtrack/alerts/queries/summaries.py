"""Reads of alerts for other doors: how bad an asset's alerts are, and what would go with it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from django.db.models import Q

from techtrack.accounts.domain.access import Access
from techtrack.alerts.domain.condition import SEVERITIES
from techtrack.alerts.models import Alert
from techtrack.assets.events import WhatHolds
from techtrack.core.clock import isoformat

MOST_SHOWN = 500
READ_AT_ONCE = 5000
# Of an alert, told as they are.
FACTS = (
    "severity",
    "title",
    "state",
    "status",
    "active",
    "latched",
    "suppressed_by",
    "occurrences",
    "value",
    "limit",
    "version",
    "parameter",
)
# ``Alert.hidden`` as the database asks it.
IN_SIGHT = Q(shelved_until=None, out_of_service_until=None, suppressed_by="", late=False)


def worst_active_severity(asset_id: int, *, besides: int | None = None) -> str | None:
    """Return the worst severity among the asset's alerts that ask for somebody, but ``besides``; None where none does.

    These are active, or latched until somebody resets them, and nothing hides them.
    """
    rows = Alert.objects.filter(Q(active=True) | Q(latched=True), IN_SIGHT, asset=asset_id).order_by()
    asking = rows if besides is None else rows.exclude(pk=besides)
    return max(asking.values_list("severity", flat=True).distinct(), key=SEVERITIES.index, default=None)


def worst_active_severities(assets: Collection[int]) -> dict[int, str]:
    """Return the same of several assets in one query; those where none does are left out."""
    rows = Alert.objects.filter(Q(active=True) | Q(latched=True), IN_SIGHT, asset__in=assets).order_by()
    worst: dict[int, str] = {}
    for asset, severity in rows.values_list("asset", "severity").distinct():
        worst[asset] = max(severity, worst.get(asset, severity), key=SEVERITIES.index)
    return worst


def what_we_hold(question: WhatHolds) -> Iterator[str]:
    """Answer what alerts keep of an asset (connected to ``WhatHolds``)."""
    count = Alert.objects.filter(asset=question.asset_id).count()
    if count:
        yield f"{count} alert{'s' if count > 1 else ''}"


def summaries(alert_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Return alerts, by id, as open pages and subscribers get them."""
    ids, found = sorted(set(alert_ids)), dict[int, dict[str, Any]]()
    for start in range(0, len(ids), READ_AT_ONCE):
        rows = Alert.objects.select_related("asset", "acknowledged_by", "assignee")
        rows = rows.filter(pk__in=ids[start : start + READ_AT_ONCE])
        found |= {alert.pk: _summary(alert) for alert in rows}
    return found


def open_summaries(access: Access, *, site_id: int | None = None) -> list[dict[str, Any]]:
    """Return the open alerts that the caller may see, newest first; ``site_id`` 0 means assets without a site."""
    rows = Alert.objects.visible_to(access).filter(is_open=True).select_related("asset", "acknowledged_by", "assignee")
    if site_id is not None:
        rows = rows.filter(asset__site=site_id or None)
    return [_summary(alert) for alert in rows[:MOST_SHOWN]]


def _summary(alert: Alert) -> dict[str, Any]:
    moments = {
        name: isoformat(moment) if (moment := getattr(alert, name)) else None
        for name in ("raised_at", "returned_at", "acknowledged_at", "shelved_until", "out_of_service_until")
    }
    return {
        "id": alert.pk,
        "asset": alert.asset_id,
        alert.asset.kind: alert.asset_id,
        "asset_name": alert.asset.name,
        "site": alert.asset.site_id,
        "rule": alert.rule_id,
        "acknowledged_by": alert.acknowledged_by_id,
        "acknowledged_by_name": alert.acknowledged_by.username if alert.acknowledged_by else None,
        "assignee": alert.assignee_id,
        "assignee_name": alert.assignee.username if alert.assignee else None,
        **{name: getattr(alert, name) for name in FACTS},
        **moments,
    }
