"""Every write of watching oneself: heartbeats, what is believed, and the alerts that tell of it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q

from techtrack.accounts.domain.access import internal
from techtrack.alerts import services as alerts
from techtrack.alerts.models import Alert
from techtrack.assets import services as assets
from techtrack.assets.models import Asset, AssetType, Kind
from techtrack.watch.domain.checks import KINDS, Finding
from techtrack.watch.domain.hysteresis import FLAPS, TROUBLE, Pace, State, step
from techtrack.watch.models import Check, Heartbeat, freeze
from techtrack.watch.queries import REMEMBERED

NAME = "TechTrack"
# The key of the asset, the slug of its type, and the tag by which routes find it.
SELF = "techtrack"
US = internal(NAME)


@transaction.atomic
def beat(*, process: uuid.UUID, who: Mapping[str, Any], loops: Mapping[str, float], at: datetime) -> None:
    """Say that the process lives: ``who`` has its host, pid, kind and disks."""
    values = {**who, "loops": loops, "beat_at": at, "ended_at": None}
    Heartbeat.objects.update_or_create(pk=process, defaults=values, create_defaults=values | {"started_at": at})


@transaction.atomic
def end(*, process: uuid.UUID, at: datetime) -> None:
    """Say that the process ends in good order, and need not be missed."""
    Heartbeat.objects.filter(pk=process).update(ended_at=at, beat_at=at)


def settle(*, findings: Sequence[Finding], at: datetime, now: datetime) -> None:
    """Believe ``findings`` of the database's time ``at`` as far as they last, raise alerts and let them return.

    Any number of processes may do so at once.
    """
    rows = {(row.kind, row.subject): row for row in Check.objects.all()}
    findings = [*findings, *_gone(findings, rows)]
    _remember(findings, rows)
    for finding in findings:
        row = rows.get((finding.kind, finding.subject)) or Check(kind=finding.kind, subject=finding.subject)
        if step(_state(row), finding.level, at, pace()) != _state(row) or _is_untold(row, finding):
            _believe(finding, at, now)
    _forget(at)


def pace() -> Pace:
    """How long something must last: two looks for trouble, and five for its end."""
    every = timedelta(seconds=settings.WATCH_SECONDS)
    # Looks are not exactly so far apart.
    return Pace(on=every * 0.9, off=every * 4)


def _remember(findings: Sequence[Finding], rows: Mapping[tuple[str, str], Check]) -> None:
    """Write what changed of what the next look must know: one statement, in the order of keys against deadlock."""
    changed = []
    for finding in sorted(findings, key=lambda one: (one.kind, one.subject)):
        row, memory = rows.get((finding.kind, finding.subject)), freeze(finding.memory)
        if memory != (row.memory if row else None):
            changed.append(Check(kind=finding.kind, subject=finding.subject, memory=memory))
    Check.objects.bulk_create(
        changed, update_conflicts=True, unique_fields=["kind", "subject"], update_fields=["memory"]
    )


def _gone(findings: Sequence[Finding], rows: Mapping[tuple[str, str], Check]) -> list[Finding]:
    """What was watched and is no more (a channel was deleted, or is well): nothing is wrong with it."""
    seen = {(finding.kind, finding.subject) for finding in findings}
    return [Finding(kind, subject, 0.0) for kind, subject in rows if (kind, subject) not in seen and kind in KINDS]


@transaction.atomic
def _believe(finding: Finding, at: datetime, now: datetime) -> None:
    """Take one step with the row locked: another process may have taken it already."""
    row, _ = Check.objects.select_for_update().get_or_create(kind=finding.kind, subject=finding.subject)
    state = step(_state(row), finding.level, at, pace())
    alert = _alert(row)
    if state.active and alert is None and _is_trouble(finding):
        row.alert_id = _raise(finding, now).pk
    elif alert is not None and not state.active:
        alerts.update_alert(alert=alert, by=US, changes={"active": False}, expected=None, now=now)
    for name, value in asdict(state).items():
        setattr(row, name, value)
    row.save(update_fields=[*asdict(state), "alert_id"])


def _raise(finding: Finding, now: datetime) -> Alert:
    kind = KINDS[finding.kind]
    data = {
        "asset": _asset(now),
        "parameter": finding.kind,
        "severity": kind.severity,
        "title": finding.title,
        "description": kind.advice,
        "value": finding.value,
        "limit": finding.limit,
    }
    return alerts.create_alert(by=US, now=now, data=data)


def _asset(now: datetime) -> Asset:
    """The asset that stands for the platform; made when it is needed first."""
    found = Asset.objects.filter(key=SELF).first()
    if found is not None:
        return found
    try:
        with transaction.atomic():
            return _make_asset(now)
    except IntegrityError:
        # Another process has just made it.
        return Asset.objects.get(key=SELF)


def _make_asset(now: datetime) -> Asset:
    if not AssetType.objects.filter(slug=SELF).exists():
        units = [{"code": code, "unit": kind.unit} for code, kind in KINDS.items()]
        listed = [{"minimum": None, "maximum": None, "label": "", **unit} for unit in units]
        assets.create_asset_type(by=US, now=now, data={"slug": SELF, "name": NAME, "parameters": listed})
    data = {"key": SELF, "name": NAME, "type": SELF, "tags": [SELF], "site": None}
    data["description"] = "The platform itself. What it finds wrong with itself is told by alerts of this asset."
    return assets.create_asset(kind=Kind.EQUIPMENT, by=US, now=now, data=data)


def _is_trouble(finding: Finding) -> bool:
    return finding.level is not None and finding.level >= TROUBLE


def _is_untold(row: Check, finding: Finding) -> bool:
    """Whether somebody closed the alert of what is still wrong."""
    return row.active and _is_trouble(finding) and _alert(row) is None


def _alert(row: Check) -> Alert | None:
    """The alert that tells of it, if it is active."""
    return None if row.alert_id is None else Alert.objects.filter(pk=row.alert_id, active=True).first()


@transaction.atomic
def _forget(at: datetime) -> None:
    """Remove what nobody needs to know any longer: who was last heard of long ago, what is well and does not flap."""
    Heartbeat.objects.filter(beat_at__lt=at - REMEMBERED).delete()
    calm = Q(raised_at=None) | Q(raised_at__lt=at - FLAPS)
    Check.objects.filter(calm, active=False, since=None, memory__isnull=True).delete()


def _state(row: Check) -> State:
    return State(row.active, row.since, row.raised_at, row.flaps)
