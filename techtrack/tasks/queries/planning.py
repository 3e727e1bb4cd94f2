"""Reads of plans: what a decision is made of, which plan is for which asset, and what is to come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
from django.db.models import Q

from techtrack.alerts.models import Alert, AlertEvent
from techtrack.assets.models import Asset
from techtrack.tasks.domain.meters import Tally
from techtrack.tasks.domain.plans import Facts, Plan, Use
from techtrack.tasks.domain.recurrence import PLANNED
from techtrack.tasks.domain.schedule import History
from techtrack.tasks.domain.tallying import Record, key_of
from techtrack.tasks.domain.workflow import UNFINISHED
from techtrack.tasks.models import AssetMeter, Course, PlanRule, State, Task, asking
from techtrack.tasks.models import Plan as PlanRow
from techtrack.tasks.queries.counting import meters_of

# Parsed once, however many assets it is for.
MOST_PARSED = 2_000


def parsed(triggers: Mapping[str, Any]) -> Plan:
    """Return what asks for tasks, of the column.

    Raises:
        Invalid: it cannot be kept, such as with a time zone that the system has no longer.
    """
    return _parsed(msgspec.json.encode(triggers, order="deterministic"))


@lru_cache(MOST_PARSED)
def _parsed(text: bytes) -> Plan:
    return Plan.parse(msgspec.json.decode(text), limits=PLANNED)


def courses_due(now: datetime, limit: int) -> Sequence[Course]:
    """Return the courses that the planner is to look at, with all that it looks at."""
    rows = Course.objects.waiting(now).select_related("plan", "asset__type", "task__proof")
    return list(rows.order_by("look_at", "pk")[:limit])


def course(plan_id: int, asset_id: int) -> Course | None:
    """Return the course of a plan at an asset, as the planner gets it, locked until commit."""
    rows = Course.objects.select_related("plan", "asset__type", "task__proof").select_for_update(of=("self",))
    return rows.filter(plan=plan_id, asset=asset_id).first()


def closing(row: Course, *, now: datetime) -> datetime | None:
    """Return when the task that a course waits for was done or called off; None while nobody did either.

    While telemetry is still asked whether the work has helped it is not closed: it may be opened again.
    """
    task = row.task
    if task is None:
        return None
    if task.deleted_at is not None:
        # Nobody asks telemetry about what is deleted.
        return task.completed_at or task.deleted_at
    if task.state in UNFINISHED or (hasattr(task, "proof") and task.proof.is_open):
        return None
    return (task.completed_at or now) if task.state == State.DONE else task.updated_at


def unfinished(row: Course) -> Task | None:
    """Return the newest unfinished task of a course, where it waits for none: one that came back, or was done in error.

    The course was closed at once, when that was deleted or done; it is the plan's work all the same.
    """
    mine = Task.objects.kept().filter(planned__plan=row.plan_id, planned__asset=row.asset_id, state__in=UNFINISHED)
    return mine.order_by("-pk").first()


@dataclass(frozen=True, slots=True)
class Known:
    """What the planner has read of one course: the facts, and the alerts that ask, by rule."""

    facts: Facts
    alerts: Mapping[int, Alert]


def meters(row: Course, plan: Plan) -> dict[str, AssetMeter]:
    """Return the meters that ask for tasks of a course, by key, with asset and type; no query where none does."""
    keys = {key_of(one.meter) for one in plan.meters}
    return {key: meter for (_, key), meter in meters_of([row.asset_id], keys).items()} if keys else {}


def known(row: Course, plan: Plan, counted: Mapping[str, AssetMeter], *, now: datetime) -> Known:
    """Read what a decision about a course is made of; what it was waiting for is closed as its columns say."""
    raised = _asking(row, {one.rule for one in plan.conditions})
    facts = Facts(
        history=History(row.settled, row.closed, row.made),
        unfinished=row.task_id is not None,
        uses={one.meter: _use(counted.get(key_of(one.meter)), row, now) for one in plan.meters},
        raised={rule: event.recorded_at for rule, event in raised.items()},
    )
    return Known(facts, {rule: event.alert for rule, event in raised.items()})


def _use(meter: AssetMeter | None, row: Course, now: datetime) -> Use:
    """Return what was counted since the last closing; nobody knows before the meter has come to the present."""
    if meter is None:
        return Use(None, Record(Tally(), {}).pace(now=now))
    base = row.bases.get(str(meter.pk))
    known_ = meter.time is not None and not meter.behind and base is not None
    record = Record(Tally(meter.total, meter.time, meter.value), meter.days)
    return Use(max(meter.total - base, 0.0) if known_ else None, record.pace(now=now))


def _asking(row: Course, rules: Iterable[int]) -> dict[int, AlertEvent]:
    """Return the newest raising of an alert of each rule that asks for work since the last closing."""
    wanted = set(rules)
    if not wanted:
        return {}
    since = row.closed or row.begun_at
    happened = AlertEvent.objects.filter(alert__asset=row.asset_id, alert__rule__in=wanted, recorded_at__gt=since)
    newest = asking(happened).select_related("alert").order_by("recorded_at", "pk")
    return {event.alert.rule_id: event for event in newest if event.alert.rule_id is not None}


# -- Which plan is for which asset --------------------------------------------------------------------------


def scopes(plan_id: int | None = None) -> set[tuple[int, int]]:
    """Return for which assets plans (or one) are, as pairs of the ids of plan and asset."""
    plans = PlanRow.objects.all() if plan_id is None else PlanRow.objects.filter(pk=plan_id)
    columns = list(plans.values_list("pk", "asset_id", "asset_type_id", "site_id"))
    by_type: dict[int | None, list[tuple[int, int | None]]] = {}
    assets = Asset.objects.filter(type__in={kind for _, _, kind, _ in columns if kind is not None})
    for pk, type_id, site_id in assets.order_by().values_list("pk", "type_id", "site_id"):
        by_type.setdefault(type_id, []).append((pk, site_id))
    named = {(plan, asset) for plan, asset, _, _ in columns if asset is not None}
    return named | {
        (plan, pk)
        for plan, _, kind, site in columns
        if kind is not None
        for pk, at in by_type.get(kind, ())
        if site is None or at == site
    }


def pairs(plan_id: int | None = None) -> set[tuple[int, int]]:
    """Return the ids of plan and asset of every course (or of those of one plan)."""
    rows = Course.objects.all() if plan_id is None else Course.objects.filter(plan=plan_id)
    return set(rows.values_list("plan_id", "asset_id"))


@dataclass(frozen=True, slots=True)
class Drift:
    """Pairs of the ids of plan and asset: ``missing`` ones are to begin, ``left_over`` ones to end."""

    missing: set[tuple[int, int]]
    left_over: set[tuple[int, int]]

    @property
    def plans(self) -> set[int]:
        """The ids of the plans."""
        return {plan for plan, _ in self.missing | self.left_over}


def drift(plan_id: int | None = None) -> Drift:
    """Return where plans (or one) are to begin, and where to end."""
    # In this order: of a plan that comes meanwhile nothing is left over.
    there = pairs(plan_id)
    wanted = scopes(plan_id)
    return Drift(wanted - there, there - wanted)


def meters_wanted(plan_id: int | None = None) -> dict[tuple[int, str], Any]:
    """Return the meters that courses (or those of one plan) ask for, by asset and key."""
    # Those of a plan that is paused as well: what it has counted from must not be lost.
    rows = Course.objects.all() if plan_id is None else Course.objects.filter(plan=plan_id)
    found: dict[tuple[int, str], Any] = {}
    for asset_id, triggers in rows.values_list("asset_id", "plan__triggers"):
        if triggers.get("meters"):
            found |= {(asset_id, key_of(one.meter)): one.meter for one in parsed(triggers).meters}
    return found


def rules_named(plan_id: int) -> set[int]:
    """Return the ids of the rules whose alerts ask for a plan's tasks."""
    return set(PlanRule.objects.filter(plan=plan_id).values_list("rule_id", flat=True))


def work_on(alert_id: int) -> int | None:
    """Return the id of the unfinished task about an alert and its asset; what people note for themselves is none.

    Also of one that a machine has opened for an earlier alert of the same rule at the asset: that is the same work.
    Whoever makes an alert into work takes turns here, until commit: the second one sees the task of the first.
    """
    alert = Alert.objects.select_for_update(no_key=True).filter(pk=alert_id).first()
    if alert is None:
        return None
    same = Q(alert=alert_id)
    if alert.rule_id is not None:
        same |= Q(automatic=True, alert__rule=alert.rule_id)
    rows = Task.objects.kept().filter(same, asset=alert.asset_id, state__in=UNFINISHED)
    return rows.order_by("pk").values_list("pk", flat=True).first()
