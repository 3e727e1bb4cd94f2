"""What time does to alerts: shelving and out of service end, and what nobody acknowledges becomes graver."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, Q

from techtrack.alerts.domain.terms import Stage, parse_escalation, stages_above
from techtrack.alerts.models import Alert
from techtrack.alerts.news import announced, changed, in_sight
from techtrack.alerts.services.actions import IN_SERVICE, UNSHELVED
from techtrack.alerts.services.telling import happening, health, publish

MOST_AT_ONCE = 200
VISIBLE = Q(shelved_until=None, out_of_service_until=None, suppressed_by="")


def end_due(*, now: datetime) -> bool:
    """Do what has come due by ``now``, each alert in its own transaction; True where more may wait."""
    # One query, answered by the three partial indexes: what is not due costs nothing.
    due = Alert.objects.filter(
        Q(shelved_until__lte=now)
        | Q(out_of_service_until__lte=now)
        | Q(VISIBLE, escalates_at__lte=now, active=True, acknowledged_at=None)
    )
    found = list(due.order_by().values_list("pk", flat=True)[:MOST_AT_ONCE])
    for pk in found:
        _end(pk, now)
    return len(found) == MOST_AT_ONCE


@transaction.atomic
def _end(pk: int, now: datetime) -> None:
    rows = Alert.objects.select_related("asset", "rule").select_for_update(of=("self",), no_key=True)
    alert = rows.filter(pk=pk).first()
    if alert is None:
        return
    facts: list[object] = []
    if alert.shelved_until and alert.shelved_until <= now:
        facts += _over(alert, "unshelved", alert.shelved_until, UNSHELVED, now)
    if alert.out_of_service_until and alert.out_of_service_until <= now:
        facts += _over(alert, "returned_to_service", alert.out_of_service_until, IN_SERVICE, now)
    if facts:
        facts += [health(alert.asset_id), *in_sight(alert, now)]
    if alert.escalates_at and alert.escalates_at <= now:
        facts += _escalate(alert, alert.escalates_at, now)
    publish(facts)


def _over(alert: Alert, kind: str, at: datetime, writes: dict[str, Any], now: datetime) -> list[object]:
    before = alert.state
    _write(alert, now, **writes)
    happening(alert, kind, by=None, now=now, at=at, before=before).save(force_insert=True)
    return [changed(alert, kind)]


def _escalate(alert: Alert, due: datetime, now: datetime) -> list[object]:
    """Let the next stage begin of an alert that is active, seen and not acknowledged."""
    if alert.hidden or not alert.active or alert.acknowledged_at:
        return []
    waiting = stages_above(_stages(alert), alert.severity)
    if not waiting:
        # The rule was edited or deleted meanwhile, or somebody made the alert as grave.
        _write(alert, now, escalates_at=None)
        return []
    stage, severity = waiting[0], alert.severity
    then = due + (waiting[1].after - stage.after) if waiting[1:] else None
    _write(alert, now, severity=stage.severity, escalates_at=then)
    evidence = {"before": {"severity": severity}, "after": {"severity": stage.severity}}
    happening(alert, "escalated", by=None, now=now, at=due, before=alert.state, evidence=evidence).save()
    return [announced(alert, now), health(alert.asset_id), changed(alert, "escalated")]


def _stages(alert: Alert) -> tuple[Stage, ...]:
    return parse_escalation(alert.rule.escalation) if alert.rule else ()


def _write(alert: Alert, now: datetime, **values: Any) -> None:
    # The row is locked, so that what was read is what is changed.
    Alert.objects.filter(pk=alert.pk).update(**values, version=F("version") + 1, updated_at=now)
    alert.refresh_from_db(fields=[*values, "version"])
