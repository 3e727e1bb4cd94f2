"""Writes what is to be told of an alert, in the alert's transaction: what is written here cannot be lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import transaction

from techtrack.alerts.models import Alert
from techtrack.core import events
from techtrack.notifications import queries
from techtrack.notifications.domain.grouping import GRAVER, RAISED, RETURNED, graver, key_of
from techtrack.notifications.events import NoticesWritten
from techtrack.notifications.models import Notice

# A replay or a gateway that was away for a day must page nobody for the past.
NOTIFY_MAX_AGE = timedelta(hours=1)


@transaction.atomic
def enqueue_for_alert(*, alert_id: int, event: str, at: datetime, now: datetime, plant_now: datetime) -> list[Notice]:
    """Write one notice per route that is to tell of ``event`` (raised, returned, severity_changed) of an alert.

    Call it in the transaction of the cause. ``at`` and ``plant_now`` are plant time, ``now`` is wall time.
    Rows are only added, and who tells keeps alerts from being deleted, not from being changed: so the alert waits for
    nobody who tells people. That an alert returned is for the routes that had it;
    of severities a route hears when one became graver than it knows.
    """
    if at < plant_now - NOTIFY_MAX_AGE:
        return []
    alert = queries.alert_to_tell(alert_id)
    common = {"alert": alert, "severity": alert.severity, "at": at, "created_at": now}
    rows = [Notice(route_id=route, key=key, event=what, **common) for route, key, what in _addressed(alert, event)]
    if rows:
        Notice.objects.bulk_create(rows)
        events.publish(NoticesWritten(alert_id=alert_id, count=len(rows)))
    return rows


def _addressed(alert: Alert, event: str) -> Iterator[tuple[int, str, str]]:
    """The routes that are to tell, the group of each, and what."""
    last = {notice.route_id: notice for notice in Notice.objects.filter(alert=alert).order_by("pk")}
    if event == RETURNED:
        yield from ((pk, notice.key, event) for pk, notice in last.items() if notice.event != RETURNED)
        return
    if event == GRAVER and (alert.hidden or not alert.active):
        return
    for route in queries.routes_for(alert):
        key = key_of(queries.labels_to_group(alert), route.group_by, alert=alert.pk)
        before = last.get(route.pk)
        if before is None or before.event == RETURNED:
            yield route.pk, key, RAISED
        elif graver(alert.severity, before.severity):
            yield route.pk, key, GRAVER
        elif event == RAISED:
            yield route.pk, key, RAISED
