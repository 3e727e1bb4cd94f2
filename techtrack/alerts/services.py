"""What people do to alerts and rules; what the judge does to them is in recording.py."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, Q

from techtrack.accounts.domain.access import Access, Role
from techtrack.accounts.models import Membership, User
from techtrack.alerts import queries
from techtrack.alerts.domain.condition import parse_conditions
from techtrack.alerts.events import (
    AlertAcknowledged,
    AlertChanged,
    AlertRaised,
    AlertReturned,
    AssetHealthChanged,
    RuleChanged,
)
from techtrack.alerts.memory import COMMITS
from techtrack.alerts.models import Alert, AlertEvent, Rule, RuleState
from techtrack.alerts.recording import withdraw
from techtrack.assets.models import Asset
from techtrack.core import clock, events, params
from techtrack.core.errors import Conflict, Forbidden, Invalid, NotFound
from techtrack.core.models import Head

LONGEST_TITLE = 300
KINDS = {
    "edited": ("title", "description"),
    "severity_changed": ("severity",),
    "assigned": ("assignee_id",),
    "returned": ("active",),
}


class AlreadyAcknowledged(Conflict):
    """Somebody else has already taken this alert."""

    code = "alert_already_acknowledged"


class AlertReturnedBefore(Conflict):
    """An episode that is over does not begin again; a new one does."""

    code = "alert_returned"


class CannotSeeIt(Invalid):
    """The person has no role where the alert's asset stands."""

    code = "assignee_without_role"


# -- Alerts ---------------------------------------------------------------------------------------------------


@transaction.atomic
def acknowledge_alert(*, alert: Alert, by: Access, comment: str, now: datetime) -> Alert:
    """Record that ``by`` has taken the alert; one that has returned before is closed by it.

    Raises:
        AlreadyAcknowledged: it was taken before; the caller should show by whom.

    """
    by.require(Role.OPERATOR, alert.asset.site_id)
    # Two operators may press the button at once: let the database choose one. In the same statement
    # it looks whether the alert is still active: the judge may return it at this moment.
    taken = Alert.objects.filter(pk=alert.pk, acknowledged_at=None).update(
        acknowledged_at=now,
        acknowledged_by=by.user_id or None,
        ack_comment=comment,
        is_open=F("active"),
        version=F("version") + 1,
        updated_at=now,
    )
    current = Alert.objects.select_related("acknowledged_by", "asset").filter(pk=alert.pk).first()
    if current is None:
        raise NotFound("it is gone")
    if not taken:
        raise AlreadyAcknowledged(_taken_by(current))
    _record(current, "acknowledged", by=by, now=now, comment=comment)
    acknowledged = AlertAcknowledged(alert_id=current.pk, by_id=by.user_id, at=now)
    _publish([acknowledged, _changed(current, "acknowledged")])
    return current


def _taken_by(alert: Alert) -> str:
    who = alert.acknowledged_by.username if alert.acknowledged_by else "somebody who is gone"
    when = f" at {clock.isoformat(alert.acknowledged_at)}" if alert.acknowledged_at else ""
    return f"alert {alert.pk} was already acknowledged by {who}{when}"


@transaction.atomic
def create_alert(*, by: Access, now: datetime, data: dict[str, Any]) -> Alert:
    """Report by hand what no rule has seen; without a title the alert is called after its description or asset.

    ``data`` holds columns of Alert, ``asset`` and ``severity`` at least; ``raised_at`` is now unless given.
    """
    asset: Asset = data["asset"]
    by.require(Role.OPERATOR, asset.site_id)
    _refuse_stranger(data.get("assignee"), asset)
    values = {"raised_at": now} | data | {"title": _title(data, asset)}
    alert = Alert.objects.create(created_at=now, updated_at=now, **values)
    _record(alert, "raised", by=by, now=now, at=alert.raised_at)
    raised = AlertRaised(
        alert_id=alert.pk,
        asset_id=asset.pk,
        site_id=asset.site_id,
        severity=alert.severity,
        at=alert.raised_at,
    )
    _publish([raised, _health(asset.pk), _changed(alert, "raised")])
    return alert


@transaction.atomic
def update_alert(*, alert: Alert, by: Access, changes: dict[str, Any], expected: int | None, now: datetime) -> Alert:
    """Write title, description, severity or assignee; ``active`` False says that the episode is over.

    Raises:
        AlertReturnedBefore: ``active`` is True and the episode is over.
        Stale: somebody else was faster.

    """
    by.require(Role.OPERATOR, alert.asset.site_id)
    if changes.get("assignee") != alert.assignee:
        _refuse_stranger(changes.get("assignee"), alert.asset)
    if "title" in changes:
        changes = changes | {"title": _title({"description": alert.description} | changes, alert.asset)}
    # Held until commit, so that what is told as the difference is the difference.
    before = Alert.objects.select_for_update().filter(pk=alert.pk).first()
    if before is None:
        raise NotFound("it is gone")
    if changes.get("active") and not before.active:
        raise AlertReturnedBefore(f"alert {alert.pk} has returned: report a new one")
    if before.active and changes.get("active") is False:
        changes = changes | _returning(before, now)
    alert.change(expected=expected, now=now, **changes)
    _tell_differences(before, alert, by=by, now=now)
    return alert


@transaction.atomic
def delete_alert(*, alert: Alert, by: Access, expected: int | None) -> None:
    """Remove the alert and its history."""
    asset = alert.asset
    by.require(Role.ENGINEER, asset.site_id)
    # The row first and live events last, as everywhere: who locks in one order does not deadlock.
    Alert.objects.select_for_update().filter(pk=alert.pk).first()
    worst = queries.worst_active_severity(asset.pk, besides=alert.pk)
    # Before it goes, so that listeners can still read it; a stale version undoes this too.
    _publish([AssetHealthChanged(asset_id=asset.pk, worst=worst), _changed(alert, "deleted")])
    alert.remove(expected=expected)


@transaction.atomic
def forget_asset(*, asset_id: int) -> None:
    """Prepare for an asset's deletion: its alerts go, in the order in which the judge locks."""
    Alert.objects.filter(asset=asset_id).delete()
    RuleState.objects.filter(asset=asset_id).delete()


def _returning(alert: Alert, now: datetime) -> dict[str, Any]:
    return {"active": False, "returned_at": now, "is_open": alert.acknowledged_at is None}


def _title(data: dict[str, Any], asset: Asset) -> str:
    lines = f"{data.get('title', '')}\n{data.get('description', '')}".strip().splitlines()
    return (lines[0] if lines else f"Reported on {asset.name}")[:LONGEST_TITLE]


def _refuse_stranger(assignee: User | None, asset: Asset) -> None:
    if assignee is None:
        return
    at = Q(site=None) if asset.site_id is None else Q(site=None) | Q(site=asset.site_id)
    if not Membership.objects.filter(at, user=assignee).exists():
        raise CannotSeeIt("this person has no role where the asset stands", pointer="/assignee")


def _tell_differences(before: Alert, alert: Alert, *, by: Access, now: datetime) -> None:
    """Write one event for each kind of change, and announce it."""
    facts: list[object] = []
    for kind, names in KINDS.items():
        changed = [name for name in names if getattr(before, name) != getattr(alert, name)]
        if changed:
            evidence = {"before": _values(before, changed), "after": _values(alert, changed)}
            _record(alert, kind, by=by, now=now, evidence=evidence)
            facts.append(_changed(alert, kind))
    if before.active and not alert.active:
        facts.append(_returned(alert, now))
    if (before.active, before.severity) != (alert.active, alert.severity):
        facts.append(_health(alert.asset_id))
    _publish(facts)


def _values(alert: Alert, names: Iterable[str]) -> dict[str, Any]:
    return {name.removesuffix("_id"): getattr(alert, name) for name in names}


def _record(  # noqa: PLR0913 - these are the columns of the history
    alert: Alert,
    kind: str,
    *,
    by: Access,
    now: datetime,
    at: datetime | None = None,
    comment: str = "",
    evidence: dict[str, Any] | None = None,
) -> None:
    AlertEvent.objects.create(
        alert=alert,
        kind=kind,
        at=at or now,
        recorded_at=now,
        # The platform itself acts as nobody.
        actor_id=by.user_id or None,
        comment=comment,
        evidence=evidence or {},
    )


def _changed(alert: Alert, kind: str) -> AlertChanged:
    return AlertChanged(alert_id=alert.pk, site_id=alert.asset.site_id, event=kind)


def _returned(alert: Alert, now: datetime) -> AlertReturned:
    return AlertReturned(
        alert_id=alert.pk,
        asset_id=alert.asset_id,
        site_id=alert.asset.site_id,
        severity=alert.severity,
        at=now,
    )


def _health(asset_id: int) -> AssetHealthChanged:
    return AssetHealthChanged(asset_id=asset_id, worst=queries.worst_active_severity(asset_id))


def _publish(facts: Iterable[object]) -> None:
    # AlertChanged last: its listener takes the lock under which live events are numbered.
    for fact in sorted(facts, key=lambda fact: isinstance(fact, AlertChanged)):
        events.publish(fact)


# -- Rules ----------------------------------------------------------------------------------------------------


@transaction.atomic
def create_rule(*, by: Access, now: datetime, data: dict[str, Any]) -> Rule:
    """Create a rule from the columns in ``data``; its conditions are kept worst first.

    Raises:
        Invalid: a condition is not known, or one of its parameters is wrong.

    """
    site = data.get("site")
    _require_engineer(by, site and site.pk, data.get("assets", []))
    values = data | {"conditions": _worst_first(data["conditions"])}
    rule = Rule.objects.create(created_at=now, updated_at=now, **values)
    events.publish(RuleChanged(rule_id=rule.pk))
    return rule


@transaction.atomic
def update_rule(*, rule: Rule, by: Access, changes: dict[str, Any], expected: int | None, now: datetime) -> Rule:
    """Write ``changes``; the caller must be engineer of what the rule watched and of what it is to watch.

    Raises:
        Invalid: a condition is not known, or one of its parameters is wrong.
        Stale: somebody else was faster.

    """
    _require_engineer(by, rule.site_id, rule.assets)
    site = changes.get("site", rule.site)
    _require_engineer(by, site and site.pk, changes.get("assets", rule.assets))
    if "conditions" in changes:
        changes = changes | {"conditions": _worst_first(changes["conditions"])}
    other_series = changes.get("parameter", rule.parameter) != rule.parameter
    rule.change(expected=expected, now=now, **changes)
    facts: list[object] = [RuleChanged(rule_id=rule.pk)]
    if other_series:
        # What was found in one series nobody would ever see return in another.
        facts += _withdraw_all(rule.pk, now)
        RuleState.objects.filter(rule=rule.pk).delete()
    _publish(facts)
    if other_series:
        # Last of all, as the judge does: it finds that it was overtaken and reads its states anew.
        Head.take(COMMITS)
    return rule


@transaction.atomic
def delete_rule(*, rule: Rule, by: Access, expected: int | None, now: datetime) -> None:
    """Delete the rule; what it found is over, since nobody would ever see it return."""
    _require_engineer(by, rule.site_id, rule.assets)
    pk = rule.pk
    # The rule first, as the judge does: who locks in one order does not deadlock.
    Rule.objects.select_for_update().filter(pk=pk).first()
    facts = _withdraw_all(pk, now)
    rule.remove(expected=expected)
    _publish([*facts, RuleChanged(rule_id=pk)])


def _withdraw_all(rule_id: int, now: datetime) -> list[object]:
    watched = Alert.objects.filter(rule=rule_id, active=True).order_by().values_list("asset", flat=True).distinct()
    return [fact for asset in watched for fact in withdraw(rule_id=rule_id, asset_id=asset, at=now, now=now)]


def _require_engineer(by: Access, site_id: int | None, assets: Sequence[int]) -> None:
    """Pass an engineer of the rule's site; without one, of each asset it names; else of all sites.

    A key bound to one asset sees no rules, so it makes none.
    """
    if by.only_asset is not None:
        raise Forbidden("this key is bound to one asset")
    sites: set[int | None] = {site_id}
    if site_id is None and assets:
        sites = set(Asset.objects.filter(pk__in=assets).values_list("site_id", flat=True)) or sites
    for site in sites:
        by.require(Role.ENGINEER, site)


def _worst_first(conditions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    clauses = parse_conditions(conditions, pointer="/conditions")
    return [{"kind": one.kind, **params.dump(one.condition), "severity": one.severity} for one in clauses]
