"""Hides alerts and uncovers them: the decision is pure, here it is written, with its event and the news."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from django.db import transaction
from django.db.models import F, QuerySet

from techtrack.alerts import news
from techtrack.alerts.domain.suppression import hidden_by
from techtrack.alerts.domain.terms import parse_escalation, stages_above
from techtrack.alerts.events import AlertChanged, AlertRaised, AlertReturned, AssetHealthChanged
from techtrack.alerts.hiding.looking import Seen, candidates, look, next_change, scene
from techtrack.alerts.models import Alert, AlertEvent
from techtrack.alerts.queries import worst_active_severities
from techtrack.core import events
from techtrack.core.clock import from_micros

AT_ONCE = 100
# Names of alerts and assets in one statement; SQLite takes 32,766.
LOOKED_AT_ONCE = 5000


def cover(facts: Sequence[object], *, now: datetime) -> list[object]:
    """Hide what ``facts`` say was raised, where something explains it; return the facts as they then are.

    Call it in the transaction that raised the alerts, before the facts are published: nobody is told of an alert
    whose fact says ``hidden``. Where an alert became graver than a silence reaches, the fact that tells of it is added.
    One query, where nothing hides anything.
    """
    raised = {fact.alert_id for fact in facts if isinstance(fact, AlertRaised)}
    graver = {fact.alert_id for fact in facts if isinstance(fact, AlertChanged) and fact.event == "severity_changed"}
    changed: list[Alert] = []
    for part in _parts(sorted(raised | graver), LOOKED_AT_ONCE):
        if wanted := _decided(Alert.objects.filter(pk__in=part), now, raised=raised):
            changed += _write(list(_alerts(wanted)), wanted, now)
    known = {alert.pk: alert for alert in changed}
    told = [_as_it_is(fact, known) for fact in facts]
    graver_now = [alert for alert in changed if alert.pk not in raised and news.waits(alert)]
    told += [news.announced(alert, now, opens_task=True) for alert in graver_now]
    return told + _healths(changed)


def reconcile(*, now: datetime) -> datetime | None:
    """Hide and uncover open alerts by what explains them at ``now``; return when next a window begins or ends.

    Whoever calls it, and however many at once: what is to change is decided again on locked rows. An alert that the
    judge is just raising is not seen; so it is called again and again.
    """
    pks = list(candidates(now=now).values_list("pk", flat=True))
    for part in _parts(pks, LOOKED_AT_ONCE):
        for changing in _parts(list(_decided(Alert.objects.filter(pk__in=part), now)), AT_ONCE):
            _settle(changing, now)
    change = next_change(now=now)
    return None if change is None else from_micros(change)


@transaction.atomic
def _settle(pks: Sequence[int], now: datetime) -> None:
    # Locked in the order in which the judge and people who act on many lock them; decided by what is so then.
    locked = list(_alerts(pks).select_for_update(of=("self",), no_key=True))
    changed = _write(locked, _decided(Alert.objects.filter(pk__in=pks), now), now)
    for alert in changed:
        events.publish_all(news.in_sight(alert, now))
    for fact in _healths(changed):
        events.publish(fact)
    # Last: their listener takes the lock under which live events are numbered.
    events.publish_all([news.changed(alert, _kind(alert)) for alert in changed])


def _parts(pks: Sequence[int], size: int) -> list[Sequence[int]]:
    return [pks[at : at + size] for at in range(0, len(pks), size)]


def _alerts(pks: Iterable[int]) -> QuerySet[Alert]:
    return Alert.objects.select_related("asset", "rule").filter(pk__in=pks).order_by("pk")


def _decided(rows: QuerySet[Alert], now: datetime, *, raised: Collection[int] = frozenset()) -> dict[int, str]:
    """Return by what alerts are to be hidden that are not so; ``raised`` were raised just now."""
    seen = look(rows, now=now)
    there = scene(seen, now=now, raised=raised)
    wanted = {one.subject: hidden_by(one.subject, there) if _may_be_hidden(one, raised) else "" for one in seen}
    return {subject.alert: by for subject, by in wanted.items() if by != subject.hidden_by}


def _may_be_hidden(seen: Seen, raised: Collection[int]) -> bool:
    """Tell whether hiding is for an alert: not for what is over, nor for what returned in sight of everybody."""
    in_sight = not seen.subject.hidden_by and seen.subject.alert not in raised
    return seen.is_open and (seen.active or not in_sight)


def _write(alerts: Sequence[Alert], wanted: Mapping[int, str], now: datetime) -> list[Alert]:
    """Write by what alerts are hidden, with their events; return those that changed, as they then are.

    What returned while it was hidden is over then: there is nothing that anybody should acknowledge.
    """
    changed = [alert for alert in alerts if alert.pk in wanted]
    steps = []
    alike: dict[tuple[str, str, bool, datetime | None], list[int]] = defaultdict(list)
    for alert in changed:
        by, before, was = wanted[alert.pk], alert.state, alert.suppressed_by
        over = not by and not alert.active and not alert.latched
        alert.suppressed_by, alert.is_open = by, alert.is_open and not over
        alert.escalates_at = _escalates_at(alert, now)
        alike[was, by, alert.is_open, alert.escalates_at].append(alert.pk)
        steps.append(_event(alert, was, before, now))
    for (was, by, is_open, escalates_at), pks in alike.items():
        rows = Alert.objects.filter(pk__in=pks, suppressed_by=was)
        values = {"suppressed_by": by, "is_open": is_open, "escalates_at": escalates_at}
        rows.update(**values, version=F("version") + 1, updated_at=now)
    AlertEvent.objects.bulk_create(steps, batch_size=AT_ONCE)
    return changed


def _escalates_at(alert: Alert, now: datetime) -> datetime | None:
    """Return when it becomes graver: people have their time from when they are told."""
    if alert.escalates_at is None or alert.rule is None or not news.waits(alert):
        return alert.escalates_at
    waiting = stages_above(parse_escalation(alert.rule.escalation), alert.severity)
    return now + waiting[0].after if waiting else None


def _event(alert: Alert, was: str, before: str, now: datetime) -> AlertEvent:
    return AlertEvent(
        alert=alert,
        at=now,
        recorded_at=now,
        kind=_kind(alert),
        before=before,
        after=alert.state,
        evidence={"before": {"suppressed_by": was}, "after": {"suppressed_by": alert.suppressed_by}},
    )


def _kind(alert: Alert) -> str:
    return "suppressed" if alert.suppressed_by else "unsuppressed"


def _healths(changed: Iterable[Alert]) -> list[object]:
    """Say how bad the alerts of the assets are in sight, in the order in which everybody locks what is kept of them."""
    assets = sorted({alert.asset_id for alert in changed})
    worst = worst_active_severities(assets)
    return [AssetHealthChanged(asset_id=asset, worst=worst.get(asset)) for asset in assets]


def _as_it_is(fact: object, known: dict[int, Alert]) -> object:
    if isinstance(fact, (AlertRaised, AlertReturned)) and fact.alert_id in known:
        return replace(fact, hidden=known[fact.alert_id].hidden)
    return fact
