"""Writes what the judge found: the alert, its event, and the news, in the judge's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Case, F, Q, Value, When

from techtrack.alerts.domain.condition import Clause
from techtrack.alerts.domain.lifecycle import Change, Transition
from techtrack.alerts.events import AlertChanged, AlertRaised, AlertReturned, AssetHealthChanged
from techtrack.alerts.models import Alert, AlertEvent, Rule
from techtrack.alerts.queries import worst_active_severity
from techtrack.alerts.rulebook import Entry
from techtrack.assets.models import Asset
from techtrack.core.clock import from_micros


@dataclass(frozen=True, slots=True)
class Finding:
    """A transition of a rule with one asset."""

    entry: Entry
    asset_id: int
    transition: Transition

    @property
    def clause(self) -> Clause:
        """The condition it is about; after an edit that dropped clauses, the mildest there is."""
        clauses = self.entry.watch.clauses
        return clauses[min(self.transition.clause, len(clauses) - 1)]

    @property
    def at(self) -> datetime:
        """The event time."""
        return from_micros(self.transition.at)


def hold_rules(findings: Iterable[Finding], *, others: Iterable[tuple[int, int]]) -> bool:
    """Keep the rules of ``findings`` from being deleted until commit; False where one is gone already.

    Whoever deletes a rule locks it before its alerts, so the judge does: at its commit, where the foreign keys
    are checked, it would wait for the rule while others wait for its alerts. ``others`` are (rule, asset) to
    withdraw, whose rules may be gone.
    """
    needed = {finding.entry.rule_id for finding in findings}
    wanted = needed | {rule_id for rule_id, _ in others}
    if not wanted:
        return True
    rows = Rule.objects.select_for_update(no_key=True).filter(pk__in=wanted).order_by("pk")
    return needed <= set(rows.values_list("pk", flat=True))


def record(findings: Sequence[Finding], *, now: datetime) -> list[object]:
    """Write what was found of one rule and asset, in order, and return the facts to publish.

    From a raise on, all belong to one alert that nobody outside has seen yet: it is written as it is in the end,
    with an event for each step. So a sensor that chatters a thousand times in a batch costs one update, and
    tells people once. An asset that was deleted meanwhile has no alerts.

    The caller publishes once all rows are written, AlertChanged last: its listener takes the lock under which
    all live events are numbered, and nobody should wait for a row while holding that.
    """
    asset = Asset.objects.filter(pk=findings[0].asset_id).first()
    if asset is None:
        return []
    facts: list[object] = []
    for index, finding in enumerate(findings):
        if finding.transition.change is Change.RAISED:
            return facts + _record_raise(finding, findings[index + 1 :], asset, now)
        facts += _record_change(finding, asset, now)
    return facts


def _record_change(finding: Finding, asset: Asset, now: datetime) -> list[object]:
    alert = _open(finding).filter(active=True).first()
    if alert is None:
        return []
    facts: list[object] = []
    if finding.transition.change is Change.RETURNED:
        facts += _return(alert, asset, finding.at, now)
    else:
        Alert.objects.filter(pk=alert.pk).update(**_facts(finding, now), version=F("version") + 1)
    AlertEvent.objects.bulk_create([_event(alert, finding, now)])
    return facts + _news(alert, asset, finding.transition.change)


def _record_raise(first: Finding, rest: Sequence[Finding], asset: Asset, now: datetime) -> list[object]:
    alert, facts = _raise(first, asset, now)
    AlertEvent.objects.bulk_create([_event(alert, finding, now) for finding in (first, *rest)])
    if not rest:
        return facts + _news(alert, asset, Change.RAISED)
    last = rest[-1]
    returned = last.transition.change is Change.RETURNED
    measured = [finding for finding in rest if finding.transition.change is not Change.RETURNED]
    Alert.objects.filter(pk=alert.pk).update(
        **(_facts(measured[-1], now) if measured else {"updated_at": now}),
        active=not returned,
        returned_at=last.at if returned else None,
        occurrences=F("occurrences") + sum(finding.transition.change is Change.RAISED for finding in rest),
        version=F("version") + 1,
    )
    alert.refresh_from_db()
    if returned:
        facts.append(_returned(alert, asset, last.at))
    return [*facts, *_news(alert, asset, Change.RAISED), *_news(alert, asset, last.transition.change)]


def withdraw(*, rule_id: int, asset_id: int, at: datetime, now: datetime) -> list[object]:
    """Return the active alerts of a rule that no longer watches an asset, or not this parameter; gives the facts."""
    facts: list[object] = []
    for alert in Alert.objects.filter(rule=rule_id, asset=asset_id, active=True).select_related("asset"):
        facts += _return(alert, alert.asset, at, now)
        comment = "the rule no longer watches this"
        AlertEvent.objects.create(alert=alert, at=at, recorded_at=now, kind=Change.RETURNED.value, comment=comment)
        facts += _news(alert, alert.asset, Change.RETURNED)
    return facts


def _news(alert: Alert, asset: Asset, change: Change) -> list[object]:
    return [
        AssetHealthChanged(asset_id=asset.pk, worst=worst_active_severity(asset.pk)),
        AlertChanged(alert_id=alert.pk, site_id=asset.site_id, event=change.value),
    ]


def _open(finding: Finding) -> Any:
    return Alert.objects.filter(
        rule=finding.entry.rule_id, asset=finding.asset_id, parameter=finding.entry.parameter, is_open=True
    )


def _facts(finding: Finding, now: datetime) -> dict[str, Any]:
    return {
        "severity": finding.clause.severity,
        "value": finding.transition.value,
        "limit": finding.clause.condition.limit,
        "updated_at": now,
    }


def _raise(finding: Finding, asset: Asset, now: datetime) -> tuple[Alert, list[object]]:
    again = {"active": True, "returned_at": None, "acknowledged_at": None, "acknowledged_by": None, "ack_comment": ""}
    # An episode that nobody has closed is taken up again: chatter is one alert that counts, not three hundred.
    more = {"occurrences": F("occurrences") + 1, "version": F("version") + 1}
    reopened = bool(_open(finding).update(**_facts(finding, now), **again, **more))
    alert = _open(finding).get() if reopened else _create(finding, asset, now)
    raised = AlertRaised(
        alert_id=alert.pk,
        asset_id=asset.pk,
        site_id=asset.site_id,
        severity=alert.severity,
        at=finding.at,
        again=reopened,
        open_task=finding.entry.open_task,
    )
    return alert, [raised]


def _create(finding: Finding, asset: Asset, now: datetime) -> Alert:
    return Alert.objects.create(
        rule_id=finding.entry.rule_id,
        asset=asset,
        parameter=finding.entry.parameter,
        title=finding.entry.name,
        raised_at=finding.at,
        created_at=now,
        **_facts(finding, now),
    )


def _return(alert: Alert, asset: Asset, at: datetime, now: datetime) -> list[object]:
    # Acknowledged and returned: the episode is over. Decided by the row as it is now, not as it was read.
    still_open = Case(When(Q(acknowledged_at=None), then=Value(value=True)), default=Value(value=False))
    Alert.objects.filter(pk=alert.pk).update(
        active=False, is_open=still_open, returned_at=at, updated_at=now, version=F("version") + 1
    )
    return [_returned(alert, asset, at)]


def _returned(alert: Alert, asset: Asset, at: datetime) -> AlertReturned:
    return AlertReturned(alert_id=alert.pk, asset_id=asset.pk, site_id=asset.site_id, severity=alert.severity, at=at)


def _event(alert: Alert, finding: Finding, now: datetime) -> AlertEvent:
    evidence = {
        "rule": finding.entry.rule_id,
        "rule_version": finding.entry.version,
        "condition": finding.clause.kind,
        "limit": finding.clause.condition.limit,
        "value": finding.transition.value,
        "severity": finding.clause.severity,
    }
    return AlertEvent(
        alert=alert, at=finding.at, recorded_at=now, kind=finding.transition.change.value, evidence=evidence
    )
