"""Writes what the judge found: the alert, its event, and the news, in the judge's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from django.db import connection
from django.db.models import F, Q

from techtrack.alerts.domain.condition import Clause
from techtrack.alerts.domain.lifecycle import Change, Transition
from techtrack.alerts.domain.terms import stages_above
from techtrack.alerts.events import AlertChanged, AlertRaised, AlertReturned, AssetHealthChanged
from techtrack.alerts.models import Alert, AlertEvent, Rule
from techtrack.alerts.queries import worst_active_severity
from techtrack.alerts.rulebook import Entry
from techtrack.assets.models import Asset
from techtrack.core.clock import from_micros

PUT_ASIDE = ("shelved_until", "shelved_by_id", "shelve_reason")
TAKEN_OUT = ("out_of_service_until", "out_of_service_by_id", "out_of_service_reason")
UNWATCHED = "the rule no longer watches this"
# What findings change of an alert.
WRITTEN = (
    "severity",
    "value",
    "limit",
    "revision",
    "condition",
    "active",
    "is_open",
    "latched",
    "returned_at",
    "acknowledged_at",
    "acknowledged_by_id",
    "ack_comment",
    "occurrences",
    "escalates_at",
)


@dataclass(frozen=True, slots=True)
class Finding:
    """A transition of a rule with one asset."""

    entry: Entry
    asset_id: int
    transition: Transition

    @property
    def place(self) -> int:
        """The place of the condition it is about; after an edit that dropped clauses, the mildest there is."""
        return min(self.transition.clause, len(self.entry.watch.clauses) - 1)

    @property
    def clause(self) -> Clause:
        """The condition it is about."""
        return self.entry.watch.clauses[self.place]

    @property
    def limit(self) -> float | None:
        """The limit that was crossed, where it is about one."""
        return self.entry.watch.limit(self.place, self.transition.value)

    @property
    def at(self) -> datetime:
        """The event time."""
        return from_micros(self.transition.at)


def hold_rules(findings: Iterable[Finding], *, others: Iterable[tuple[int, int]]) -> bool:
    """Keep the rules of ``findings`` from being deleted until commit; False where one is gone already.

    Whoever deletes a rule locks it before its alerts, so the judge does: at its commit, where the foreign keys
    are checked, it would wait for the rule while others wait for its alerts. ``others`` are (rule, asset) to
    withdraw, whose rules may be gone. Then the alerts, in the order in which people who act on many take them: those
    that are open, and those that may be taken up again.
    """
    findings = list(findings)
    found = {(finding.entry.rule_id, finding.asset_id) for finding in findings}
    needed = {rule_id for rule_id, _ in found}
    pairs = found | set(others)
    if not pairs:
        return True
    rules, assets = {rule_id for rule_id, _ in pairs}, {asset_id for _, asset_id in pairs}
    rows = Rule.objects.select_for_update(no_key=True).filter(pk__in=rules).order_by("pk")
    there = set(rows.values_list("pk", flat=True))
    if connection.features.has_select_for_update:
        alerts = Alert.objects.select_for_update(no_key=True).filter(rule__in=rules, asset__in=assets)
        list(alerts.filter(_may_go_on(findings)).order_by("pk").values_list("pk"))
    return needed <= there


def _may_go_on(findings: Iterable[Finding]) -> Q:
    """Tell which alerts findings may be laid on: open ones, and ones that returned a moment ago."""
    raised = [finding for finding in findings if finding.transition.change is Change.RAISED]
    begins = [finding.at - window for finding in raised if (window := finding.entry.terms.reraise_window)]
    return Q(is_open=True) | Q(late=False, returned_at__gte=min(begins)) if begins else Q(is_open=True)


def record(findings: Sequence[Finding], *, now: datetime, position: int | None = None) -> list[object]:
    """Write what was found of one rule and asset up to ``position``, in order, and return the facts to publish.

    An alert is written once, as it is after all of them, with an event for each step. So a sensor that chatters a
    thousand times in a batch costs one update, and tells people once. An asset that was deleted meanwhile has no
    alerts.

    The caller publishes once all rows are written, AlertChanged last: its listener takes the lock under which
    all live events are numbered, and nobody should wait for a row while holding that.
    """
    asset = Asset.objects.filter(pk=findings[0].asset_id).first()
    if asset is None:
        return []
    facts: list[object] = []
    # In their order: what is told of the past already is what was told before, however the log is cut into pages.
    for past, some in groupby(findings, lambda finding: finding.transition.change is Change.PAST):
        if past:
            facts += [fact for finding in some for fact in _record_past(finding, asset, now, position)]
        else:
            facts += [fact for one in _episodes(list(some), asset, now, position) for fact in one.write()]
    if any(finding.transition.change is not Change.PAST for finding in findings):
        facts.append(AssetHealthChanged(asset_id=asset.pk, worst=worst_active_severity(asset.pk)))
    return facts


def _episodes(findings: Sequence[Finding], asset: Asset, now: datetime, position: int | None) -> list[Episode]:
    """Lay findings on the identity's last alert, and on those that they begin; return the ones that changed."""
    if not findings:
        return []
    last = _last(findings[0])
    episodes = [Episode(last, asset, now, position)] if last else []
    for finding in findings:
        raised = finding.transition.change is Change.RAISED
        if raised and not (episodes and _taken_up(episodes[-1].alert, finding)):
            before = episodes[-1].alert if episodes else None
            episodes.append(Episode(_begun(finding, asset, before, now), asset, now, position))
        if raised or (episodes and episodes[-1].alert.active):
            episodes[-1].follow(finding)
    return [episode for episode in episodes if episode.steps]


def _last(finding: Finding) -> Alert | None:
    """Return the open alert of the identity, else its newest; if it may go on it is held already."""
    rows = Alert.objects.filter(
        rule=finding.entry.rule_id, asset=finding.asset_id, parameter=finding.entry.parameter, late=False
    )
    return rows.order_by("-is_open", "-raised_at", "-pk").first()


def _taken_up(alert: Alert, finding: Finding) -> bool:
    """Tell whether an episode goes on: nobody has closed it, or it was over only a moment ago.

    Chatter is one alert that counts, not three hundred.
    """
    if alert.is_open:
        return True
    window = finding.entry.terms.reraise_window
    return bool(window and alert.returned_at and finding.at - alert.returned_at <= window)


def _begun(finding: Finding, asset: Asset, last: Alert | None, now: datetime) -> Alert:
    """Make a new alert; while the identity's last one is shelved or out of service, so is this."""
    alert = Alert(
        rule_id=finding.entry.rule_id,
        asset=asset,
        parameter=finding.entry.parameter,
        title=finding.entry.name,
        raised_at=finding.at,
        created_at=now,
        occurrences=0,
        active=False,
    )
    for names in (PUT_ASIDE, TAKEN_OUT):
        until = getattr(last, names[0], None)
        for name in names if until and until > now else ():
            setattr(alert, name, getattr(last, name))
    return alert


class Episode:
    """An alert while findings are laid on it: written once, as it is in the end, with an event for each step."""

    def __init__(self, alert: Alert, asset: Asset, now: datetime, position: int | None) -> None:
        self.alert = alert
        self.steps: list[AlertEvent] = []
        self._asset = asset
        self._now = now
        self._position = position
        self._again = alert.pk is not None
        self._told: list[Finding] = []
        self._last: Finding | None = None

    def follow(self, finding: Finding) -> None:
        """Lay one finding on the alert."""
        before = self.alert.state if self._again or self.steps else ""
        if finding.transition.change is Change.RETURNED:
            _return(self.alert, finding.at, latching=finding.entry.terms.latched)
        else:
            self._measure(finding)
        event = _event(self.alert, finding, self._now, self._position)
        event.before, event.after = before, self.alert.state
        self.steps.append(event)
        self._last = finding
        # People learn of the first raise and of a return before it; what follows in a batch is chatter.
        if finding.transition.change is not Change.SEVERITY_CHANGED and not self._raised:
            self._told.append(finding)

    def write(self) -> list[object]:
        """Write the alert and its events; return the facts to publish."""
        if self._again:
            _update(self.alert, self._now)
        else:
            self.alert.updated_at = self._now
            self.alert.save(force_insert=True)
        AlertEvent.objects.bulk_create(self.steps)
        if self._last and self._last not in self._told and self._raised and not self.alert.active:
            self._told.append(self._last)
        changes = dict.fromkeys([*(finding.transition.change.value for finding in self._told), self.steps[-1].kind])
        return [*map(self._fact, self._told), *(_changed(self.alert, self._asset, change) for change in changes)]

    @property
    def _raised(self) -> bool:
        return any(finding.transition.change is Change.RAISED for finding in self._told)

    def _measure(self, finding: Finding) -> None:
        """Note what holds; what is raised (again) waits to be acknowledged (again)."""
        alert = self.alert
        _describe(alert, finding)
        if finding.transition.change is Change.RAISED:
            alert.revision = finding.entry.terms.revision
            alert.active, alert.is_open, alert.latched = True, True, False
            alert.returned_at = alert.acknowledged_at = alert.acknowledged_by_id = alert.escalates_at = None
            alert.ack_comment = ""
            alert.occurrences += 1
        if alert.acknowledged_at is None:
            waiting = stages_above(finding.entry.terms.escalation, alert.severity)
            # A stage that runs already keeps its time.
            first = alert.escalates_at or (self._now + waiting[0].after if waiting else None)
            alert.escalates_at = first if waiting else None

    def _fact(self, finding: Finding) -> object:
        if finding.transition.change is Change.RETURNED:
            return _returned(self.alert, self._asset, finding.at)
        return AlertRaised(
            alert_id=self.alert.pk,
            asset_id=self._asset.pk,
            site_id=self._asset.site_id,
            severity=finding.clause.severity,
            at=finding.at,
            again=self._again,
            open_task=finding.entry.open_task,
            hidden=self.alert.hidden,
        )


def _record_past(finding: Finding, asset: Asset, now: datetime, position: int | None) -> list[object]:
    """Write an episode that was over when it was found, unless it is told of already; nobody is paged for the past."""
    began = finding.transition.since
    since = finding.at if began is None else from_micros(began)
    of_identity = Alert.objects.filter(
        rule=finding.entry.rule_id, asset=asset, parameter=finding.entry.parameter, raised_at__lte=finding.at
    )
    if of_identity.filter(Q(returned_at__gte=since) | Q(active=True)).exists():
        return []
    alert = _begun(finding, asset, None, now)
    _describe(alert, finding)
    alert.raised_at, alert.returned_at, alert.updated_at, alert.occurrences = since, finding.at, now, 1
    alert.revision = finding.entry.terms.revision
    alert.late, alert.is_open = True, False
    alert.save(force_insert=True)
    steps = [_event(alert, finding, now, position) for _ in range(2)]
    steps[0].at, steps[0].kind, steps[0].after = since, Change.RAISED.value, alert.state
    steps[1].kind, steps[1].before, steps[1].after = Change.RETURNED.value, alert.state, alert.state
    AlertEvent.objects.bulk_create(steps)
    return [_changed(alert, asset, Change.RETURNED.value)]


def withdraw(*, rule_id: int, asset_id: int, at: datetime, now: datetime, why: str = UNWATCHED) -> list[object]:
    """Return the active alerts of a rule that no longer watches an asset, or not this parameter; gives the facts."""
    facts: list[object] = []
    rows = Alert.objects.select_for_update(of=("self",), no_key=True).select_related("asset")
    for alert in rows.filter(rule=rule_id, asset=asset_id, active=True).order_by("pk"):
        before = alert.state
        # The rule that demanded a reset is gone, too.
        _return(alert, at, latching=False)
        _update(alert, now)
        event = AlertEvent(alert=alert, at=at, recorded_at=now, kind=Change.RETURNED.value)
        event.before, event.after, event.comment = before, alert.state, why
        AlertEvent.objects.bulk_create([event])
        facts += [
            _returned(alert, alert.asset, at),
            AssetHealthChanged(asset_id=asset_id, worst=worst_active_severity(asset_id)),
            _changed(alert, alert.asset, Change.RETURNED.value),
        ]
    return facts


def _return(alert: Alert, at: datetime, *, latching: bool) -> None:
    """Let the condition no longer hold; acknowledged and not latched, the episode is over."""
    alert.active, alert.returned_at, alert.escalates_at = False, at, None
    alert.latched = latching
    alert.is_open = latching or alert.acknowledged_at is None


def _describe(alert: Alert, finding: Finding) -> None:
    alert.condition, alert.severity = finding.clause.kind, finding.clause.severity
    alert.value, alert.limit = finding.transition.value, finding.limit


def _update(alert: Alert, now: datetime) -> None:
    # Locked since it was read: nothing of what is written here can have changed meanwhile.
    values: dict[str, Any] = {name: getattr(alert, name) for name in WRITTEN}
    Alert.objects.filter(pk=alert.pk).update(**values, version=F("version") + 1, updated_at=now)


def _changed(alert: Alert, asset: Asset, change: str) -> AlertChanged:
    return AlertChanged(alert_id=alert.pk, site_id=asset.site_id, event=change)


def _returned(alert: Alert, asset: Asset, at: datetime) -> AlertReturned:
    return AlertReturned(
        alert_id=alert.pk,
        asset_id=asset.pk,
        site_id=asset.site_id,
        severity=alert.severity,
        at=at,
        hidden=alert.hidden,
    )


def _event(alert: Alert, finding: Finding, now: datetime, position: int | None) -> AlertEvent:
    evidence = {
        "rule": finding.entry.rule_id,
        "rule_version": finding.entry.version,
        "revision": finding.entry.terms.revision,
        "condition": finding.clause.kind,
        "limit": finding.limit,
        "value": finding.transition.value,
        "severity": finding.clause.severity,
    }
    kind = finding.transition.change.value
    return AlertEvent(alert=alert, at=finding.at, recorded_at=now, kind=kind, evidence=evidence, position=position)
