"""Alerts as resources: reported by hand, edited, deleted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q

from techtrack.accounts.domain.access import Access, Role
from techtrack.accounts.models import Membership, User
from techtrack.alerts import queries
from techtrack.alerts.events import AlertChanged, AlertRaised, AssetHealthChanged
from techtrack.alerts.models import Alert, AlertEvent, RuleState
from techtrack.alerts.news import changed, returned
from techtrack.alerts.services.telling import happening, health, publish
from techtrack.assets.models import Asset
from techtrack.core.errors import Conflict, Invalid, NotFound
from techtrack.core.keys import prove_keys

LONGEST_TITLE = 300
KINDS = {
    "edited": ("title", "description"),
    "severity_changed": ("severity",),
    "assigned": ("assignee_id",),
    "returned": ("active",),
}


class AlertReturnedBefore(Conflict):
    """An episode that is over does not begin again; a new one does."""

    code = "alert_returned"


class RuleDecides(Conflict):
    """While its rule finds it so, an alert is not over because somebody says so: nobody would be told again."""

    code = "alert_of_a_rule"


class CannotSeeIt(Invalid):
    """The person has no role where the alert's asset stands."""

    code = "assignee_without_role"


@transaction.atomic
def create_alert(*, by: Access, now: datetime, data: dict[str, Any]) -> Alert:
    """Report by hand what no rule has seen; without a title the alert is called after its description or asset.

    ``data`` holds columns of Alert, ``asset`` and ``severity`` at least; ``raised_at`` is now unless given.
    """
    asset: Asset = data["asset"]
    by.require(Role.OPERATOR, asset.site_id)
    refuse_stranger(data.get("assignee"), asset)
    values = {"raised_at": now} | data | {"title": _title(data, asset)}
    alert = Alert.objects.create(created_at=now, updated_at=now, **values)
    # Who is to be told is asked of the asset, which somebody may be deleting at this moment.
    prove_keys(alert)
    happening(alert, "raised", by=by, now=now, at=alert.raised_at).save()
    raised = AlertRaised(
        alert_id=alert.pk,
        asset_id=asset.pk,
        site_id=asset.site_id,
        severity=alert.severity,
        at=alert.raised_at,
    )
    publish([raised, health(asset.pk), changed(alert, "raised")])
    return alert


@transaction.atomic
def update_alert(*, alert: Alert, by: Access, changes: dict[str, Any], expected: int | None, now: datetime) -> Alert:
    """Write title, description, severity or assignee; ``active`` False says that the episode is over.

    Raises:
        AlertReturnedBefore: ``active`` is True and the episode is over.
        Forbidden: it is a rule's, whose severity is as much an engineer's as the rule.
        RuleDecides: ``active`` is False, and a rule finds otherwise.
        Stale: somebody else was faster.

    """
    by.require(Role.OPERATOR, alert.asset.site_id)
    if changes.get("assignee") != alert.assignee:
        refuse_stranger(changes.get("assignee"), alert.asset)
    if "title" in changes:
        changes = changes | {"title": _title({"description": alert.description} | changes, alert.asset)}
    # Held until commit, so that what is told as the difference is the difference.
    before = Alert.objects.select_for_update(no_key=True).filter(pk=alert.pk).first()
    if before is None:
        raise NotFound("it is gone")
    if before.rule_id is not None and changes.get("severity", before.severity) != before.severity:
        by.require(Role.ENGINEER, alert.asset.site_id)
    if changes.get("active") and not before.active:
        raise AlertReturnedBefore(f"alert {alert.pk} has returned: report a new one")
    if before.active and changes.get("active") is False:
        _leave_to_rule(before)
        changes = changes | _returning(before, now)
    alert.change(expected=expected, now=now, **changes)
    _tell_differences(before, alert, by=by, now=now)
    return alert


@transaction.atomic
def delete_alert(*, alert: Alert, by: Access, expected: int | None) -> None:
    """Remove the alert and its history.

    Raises:
        RuleDecides: it is active, and a rule's.

    """
    asset = alert.asset
    by.require(Role.ENGINEER, asset.site_id)
    # The row first and live events last, as everywhere: who locks in one order does not deadlock.
    held = Alert.objects.select_for_update().filter(pk=alert.pk).first()
    if held is not None and held.active:
        _leave_to_rule(held)
    worst = queries.worst_active_severity(asset.pk, besides=alert.pk)
    # Before it goes, so that listeners can still read it; a stale version undoes this too.
    publish([AssetHealthChanged(asset_id=asset.pk, worst=worst), changed(alert, "deleted")])
    alert.remove(expected=expected)


def _leave_to_rule(alert: Alert) -> None:
    if alert.rule_id is not None:
        raise RuleDecides(
            f"the rule of alert {alert.pk} says when it is over: shelve it, take it out of service, or change the rule"
        )


@transaction.atomic
def follow_asset(*, asset_id: int, left: int) -> None:
    """Announce the open alerts of an asset that has left a site (0: none): there they are gone, here they are new."""
    alerts = list(Alert.objects.select_related("asset").filter(asset=asset_id, is_open=True).order_by("pk"))
    gone = [AlertChanged(alert_id=alert.pk, site_id=left or None, event="deleted") for alert in alerts]
    publish([*gone, *(changed(alert, "moved") for alert in alerts)])


@transaction.atomic
def forget_asset(*, asset_id: int) -> None:
    """Prepare for an asset's deletion: its alerts go, in the order in which the judge locks."""
    gone = Alert.objects.filter(asset=asset_id)
    # Before what hangs on them: who tells people of an alert holds it, then its notices.
    list(gone.select_for_update().order_by("pk").values_list("pk"))
    gone.delete()
    RuleState.objects.filter(asset=asset_id).delete()


def refuse_stranger(assignee: User | None, asset: Asset) -> None:
    """Raise CannotSeeIt where ``assignee`` has no role where the asset stands."""
    if assignee is None:
        return
    at = Q(site=None) if asset.site_id is None else Q(site=None) | Q(site=asset.site_id)
    if not Membership.objects.filter(at, user=assignee).exists():
        raise CannotSeeIt("this person has no role where the asset stands", pointer="/assignee")


def _returning(alert: Alert, now: datetime) -> dict[str, Any]:
    return {"active": False, "returned_at": now, "is_open": alert.acknowledged_at is None}


def _title(data: dict[str, Any], asset: Asset) -> str:
    lines = f"{data.get('title', '')}\n{data.get('description', '')}".strip().splitlines()
    return (lines[0] if lines else f"Reported on {asset.name}")[:LONGEST_TITLE]


def _tell_differences(before: Alert, alert: Alert, *, by: Access, now: datetime) -> None:
    """Write one event for each kind of change, and announce it."""
    facts: list[object] = []
    rows: list[AlertEvent] = []
    for kind, names in KINDS.items():
        changes = [name for name in names if getattr(before, name) != getattr(alert, name)]
        if changes:
            evidence = {"before": _values(before, changes), "after": _values(alert, changes)}
            rows.append(happening(alert, kind, by=by, now=now, before=before.state, evidence=evidence))
            facts.append(changed(alert, kind))
    AlertEvent.objects.bulk_create(rows)
    if before.active and not alert.active:
        facts.append(returned(alert, now))
    if (before.active, before.severity) != (alert.active, alert.severity):
        facts.append(health(alert.asset_id))
    publish(facts)


def _values(alert: Alert, names: Iterable[str]) -> dict[str, Any]:
    return {name.removesuffix("_id"): getattr(alert, name) for name in names}
