"""Every write of plans by people: what asks for work again, of which assets, and a task ahead of its time."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, Q

from techtrack.accounts.domain.access import Access, Role
from techtrack.alerts.models import Rule
from techtrack.assets import queries as assets
from techtrack.assets.models import Asset, AssetType
from techtrack.core import events
from techtrack.core.clock import MICROSECOND
from techtrack.core.errors import Conflict, Fault, Forbidden, Invalid
from techtrack.tasks import queries
from techtrack.tasks.domain.plans import BadPlan, Kind, Outlook
from techtrack.tasks.domain.reasons import Reason
from techtrack.tasks.domain.schedule import Anchor
from techtrack.tasks.domain.steps import written_steps
from techtrack.tasks.events import PlanChanged
from techtrack.tasks.models import Course, Plan, PlanOwner, PlanRule, Task
from techtrack.tasks.queries import planning
from techtrack.tasks.queries.counting import RUN_DAYS
from techtrack.tasks.services.counting import want_meters
from techtrack.tasks.services.people import NamedTwice, UnknownPerson
from techtrack.tasks.services.planner import bring, settle

WRITTEN_AT_ONCE = 500
BY_HAND = "person"


class TaskWaits(Conflict):
    """The plan has an unfinished task at this asset: there is one at a time."""

    code = "task_waits"


class NotOfThisPlan(Invalid):
    """The plan is not for this asset."""

    code = "not_of_this_plan"


@transaction.atomic
def create_plan(*, by: Access, data: Mapping[str, Any], now: datetime) -> Plan:
    """Create a plan from columns of Plan and ``owners`` (ids); it begins at its assets at once.

    Raises:
        Invalid: it cannot be kept; the pointer names the place. UnknownPerson: see there.
    """
    columns, owners = _split(data)
    plan = Plan(created_at=now, updated_at=now, **_proven(columns))
    _require(by, plan)
    _check_owners(by, owners or (), known=())
    _check_rules(by, plan, held=())
    _check_last_done(plan, None, now)
    plan.save(force_insert=True)
    _put_people(plan, owners or ())
    _put_rules(plan)
    _begin(plan, now)
    _count_from(plan, before=None)
    events.publish(PlanChanged(plan.pk))
    return plan


@transaction.atomic
def update_plan(*, plan: Plan, by: Access, changes: Mapping[str, Any], expected: int | None, now: datetime) -> Plan:
    """Write ``changes``; the caller must be engineer of what it was for and of what it is for then.

    What was due while it was paused, or by a schedule that it did not have, is not made up.

    Raises:
        Stale: somebody else was faster. Also as ``create_plan``.
    """
    _require(by, plan)
    columns, owners = _split(changes)
    columns = _proven(columns)
    before = _Before(plan.triggers, plan.enabled, plan.last_done, planning.rules_named(plan.pk))
    known = set(plan.owners)
    plan.change(expected=expected, now=now, **columns)
    _require(by, plan)
    _check_last_done(plan, before, now)
    if owners is not None:
        _check_owners(by, owners, known=known)
        _put_people(plan, owners)
    if plan.triggers != before.triggers:
        _check_rules(by, plan, held=before.rules)
        _put_rules(plan)
    _begin(plan, now)
    _begin_anew(plan, before, now)
    events.publish(PlanChanged(plan.pk))
    return plan


@transaction.atomic
def delete_plan(*, plan: Plan, by: Access, expected: int | None) -> None:
    """Delete a plan; the tasks that it brought stay."""
    _require(by, plan)
    plan.remove(expected=expected)


@transaction.atomic
def open_ahead(*, plan: Plan, asset: Asset, by: Access, now: datetime) -> Task:
    """Open the next task of a plan at an asset now, although nothing asks for it yet.

    Raises:
        NotOfThisPlan: see there.
        TaskWaits: there is an unfinished one.
    """
    by.require(Role.OPERATOR, asset.site_id)
    # Held: whoever plans at the same moment finds that its step was taken.
    row = planning.course(plan.pk, asset.pk)
    if row is None:
        raise NotOfThisPlan("the plan is not for this asset", pointer="/asset")
    values = settle(row, now)
    if row.task_id is not None:
        raise TaskWaits("the plan has an unfinished task here: finish that one, or call it off")
    asked = Outlook(Kind.CALENDAR, 0, now, now, Reason.SCHEDULED, "Somebody asked for it.")
    task = bring(row, asked, alert=None, now=now, kind=BY_HAND)
    values |= {"task": task, "made": F("made") + 1, "steps": F("steps") + 1, "look_at": now}
    Course.objects.filter(pk=row.pk).update(**values)
    return task


@transaction.atomic
def follow_pack(*, type_id: int, pack: str, by: Access, now: datetime) -> list[Plan]:
    """Create the plans of a pack for an asset type, wherever its assets stand, once the pack's rules are there.

    Raises:
        Forbidden: the caller is not an engineer of all sites.
        Invalid: a plan of the pack cannot be kept.
    """
    kind = AssetType.objects.visible_to(by).get(pk=type_id)
    rules = dict(Rule.objects.filter(asset_type=kind).order_by("-pk").values_list("name", "pk"))
    return [create_plan(by=by, now=now, data=_of_pack(told, kind, rules)) for told in assets.pack(pack).plans]


@transaction.atomic
def spread(*, now: datetime, plan_id: int | None = None) -> None:
    """Begin plans (or one) at the assets that they are for by now, and end them at those that they are not for."""
    changing = planning.drift(plan_id).plans
    if not changing:
        return
    # Whoever changes what they are for waits, or was waited for: it is asked again.
    plans = Plan.objects.select_for_update(no_key=True).order_by("pk").in_bulk(changing)
    drift = planning.drift(plan_id)
    begun = [_course(plans[plan], asset, now) for plan, asset in sorted(drift.missing) if plan in plans]
    Course.objects.bulk_create(begun, ignore_conflicts=True, batch_size=WRITTEN_AT_ONCE)
    for plan, asset in sorted(drift.left_over):
        Course.objects.filter(plan=plan, asset=asset).delete()


def _begin(plan: Plan, now: datetime) -> None:
    spread(plan_id=plan.pk, now=now)
    want_meters(planning.meters_wanted(plan.pk).items(), now=now)


def _course(plan: Plan, asset_id: int, now: datetime) -> Course:
    # Nobody knows when it was done last: the first time is so long from now, and not overdue since the start.
    closed = now if _counts_from(plan, now) else None
    settled = closed or now - MICROSECOND
    return Course(plan=plan, asset_id=asset_id, begun_at=now, settled=settled, closed=closed, look_at=now)


def _counts_from(plan: Plan, now: datetime) -> bool:
    """Tell whether a plan's dates are counted from completions, and it has begun."""
    try:
        schedule = planning.parsed(plan.triggers).schedule
    except Invalid:
        # Such as a zone that the system has no longer: the planner says so of the course.
        return False
    return schedule is not None and schedule.anchor is Anchor.COMPLETED and schedule.recurrence.begins <= now


@dataclass(frozen=True, slots=True)
class _Before:
    """What a plan was before a change."""

    triggers: Mapping[str, Any]
    enabled: bool
    last_done: datetime | None
    rules: Collection[int]


def _begin_anew(plan: Plan, before: _Before, now: datetime) -> None:
    rows = Course.objects.filter(plan=plan.pk)
    if _when(plan.triggers) != _when(before.triggers):
        rows.update(settled=now)
        if _counts_from(plan, now):
            rows.filter(closed=None).update(closed=now)
    elif plan.enabled and not before.enabled:
        # A date that lies ahead, and has had its task, stays settled.
        rows.filter(settled__lt=now).update(settled=now)
    if plan.last_done != before.last_done:
        _count_from(plan, before=before.last_done)
    rows.update(look_at=now, steps=F("steps") + 1)


def _when(triggers: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what the dates of a plan follow from."""
    return tuple(triggers.get(name) for name in ("timezone", "schedule", "season"))


def _count_from(plan: Plan, *, before: datetime | None) -> None:
    """Let a plan count from when somebody says that its work was done last; ``before`` is what was said before.

    What the platform saw itself stays: a task that was closed later.
    """
    if plan.last_done is None:
        return
    said = Q(closed=None) | Q(closed__lt=plan.last_done) | Q(closed=F("begun_at")) | Q(closed=before)
    rows = Course.objects.filter(said, plan=plan.pk)
    # Dates that have had their tasks stay settled.
    rows.filter(Q(made=0) | Q(settled__lt=plan.last_done)).update(settled=plan.last_done)
    rows.update(closed=plan.last_done, bases={})


# -- What a plan says ---------------------------------------------------------------------------------------


def _split(data: Mapping[str, Any]) -> tuple[dict[str, Any], Sequence[int] | None]:
    columns = dict(data)
    return columns, columns.pop("owners", None)


def _proven(columns: dict[str, Any]) -> dict[str, Any]:
    """Return the columns as they are kept, once what they ask for can be kept."""
    if "triggers" in columns:
        planning.parsed(columns["triggers"])
    if "checklist" in columns:
        columns["checklist"] = written_steps(columns["checklist"])
    return columns


def _check_last_done(plan: Plan, before: _Before | None, now: datetime) -> None:
    """Refuse a time from which nothing can be counted; what was right when it was said stays so."""
    if plan.last_done is None:
        return
    if plan.last_done > now:
        raise BadPlan("this lies in the future", pointer="/last_done")
    said = before is None or plan.last_done != before.last_done or not before.triggers.get("meters")
    if said and plan.triggers.get("meters") and plan.last_done < now - RUN_DAYS:
        raise BadPlan(f"meters are counted from {RUN_DAYS.days} days ago at most", pointer="/last_done")


def _require(by: Access, plan: Plan) -> None:
    """Pass an engineer of the asset's site, of the site, or of all sites where the plan is for a type anywhere."""
    if by.only_asset is not None and plan.asset_id != by.only_asset:
        raise Forbidden("this key is bound to one asset")
    by.require(Role.ENGINEER, plan.asset.site_id if plan.asset else plan.site_id)


def _check_owners(by: Access, owners: Sequence[int], *, known: Collection[int]) -> None:
    """Refuse people whom the caller cannot know, unless the plan names them already, and whoever is named twice."""
    unknown = queries.strangers(by, owners).difference(known)
    for place, pk in enumerate(owners):
        if pk in owners[:place]:
            raise NamedTwice("this person is named twice", pointer=f"/owners/{place}")
        if pk in unknown:
            raise UnknownPerson(f"there is no person {pk} who shares a site with you", pointer=f"/owners/{place}")


def _check_rules(by: Access, plan: Plan, *, held: Collection[int]) -> None:
    """Refuse rules that the caller does not see; what the plan names already may be gone by now."""
    named = [one.rule for one in planning.parsed(plan.triggers).conditions]
    new = set(named).difference(held)
    there = set(Rule.objects.visible_to(by).filter(pk__in=new).values_list("pk", flat=True))
    for place, rule in enumerate(named):
        if rule in new - there:
            detail = f"there is no rule {rule}"
            raise BadPlan(detail, faults=[Fault(f"/conditions/{place}/rule", "does_not_exist", detail)])


def _put_people(plan: Plan, owners: Sequence[int]) -> None:
    PlanOwner.objects.filter(plan=plan).delete()
    PlanOwner.objects.bulk_create(PlanOwner(plan=plan, user_id=pk) for pk in owners)


def _put_rules(plan: Plan) -> None:
    """Note by which rules it asks, those that are still there."""
    named = {one.rule for one in planning.parsed(plan.triggers).conditions}
    there = Rule.objects.filter(pk__in=named).values_list("pk", flat=True)
    PlanRule.objects.filter(plan=plan).delete()
    PlanRule.objects.bulk_create(PlanRule(plan=plan, rule_id=pk) for pk in sorted(there))


def _of_pack(told: Mapping[str, Any], kind: AssetType, rules: Mapping[str, int]) -> dict[str, Any]:
    """Return the columns of a plan of a pack, whose conditions name rules by their names."""
    columns = {name: told[name] for name in TOLD if name in told}
    conditions = [{"rule": rules[condition["rule"]]} for condition in told.get("conditions", [])]
    triggers = {name: told[name] for name in TRIGGERS if name in told} | {"conditions": conditions}
    return columns | {"asset_type": kind, "triggers": {"timezone": "UTC"} | triggers}


TOLD = ("name", "title", "description", "priority", "checklist")
TRIGGERS = ("timezone", "schedule", "meters", "lead_time", "season")
