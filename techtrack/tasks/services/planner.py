"""Brings the tasks of plans: looks at each plan at each asset, decides, and opens what is due, once."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F

from techtrack.alerts.models import Alert
from techtrack.assets.models import Status
from techtrack.core.clock import isoformat
from techtrack.core.errors import Invalid
from techtrack.tasks.domain.plans import Decision, Facts, Kind, Outlook, Plan, decide, usual_grace
from techtrack.tasks.domain.schedule import History
from techtrack.tasks.models import AssetMeter, Course, Task
from techtrack.tasks.queries import counting, planning
from techtrack.tasks.services.machine import open_planned

_log = logging.getLogger(__name__)
# How often a course is looked at where nothing else asks for it: meters move by themselves.
EVERY, METERS_EVERY = timedelta(hours=6), timedelta(minutes=2)
LONGEST_DETAIL = 500


def look(row: Course, *, now: datetime) -> Task | None:
    """Look at a course (as ``planning.courses_due`` gives it); return the task that was opened for it.

    However many planners look at once, one of them writes: the others find that its ``steps`` moved.
    """
    try:
        plan = planning.parsed(row.plan.triggers)
    except Invalid as error:
        wrong = "; ".join(f"{fault.pointer}: {fault.detail}" for fault in error.faults)
        _log.warning("plan %s cannot be kept: %s", row.plan_id, wrong)
        told = f"The plan cannot be kept: {wrong}"[:LONGEST_DETAIL]
        _write(row, _told(None, ()) | {"detail": told, "look_at": now + EVERY, "looked_at": now})
        return None
    if row.asset.status == Status.RETIRED:
        _write(row, close(row, now) | _told(None, ()) | {"look_at": now + EVERY, "looked_at": now})
        return None
    meters = planning.meters(row, plan)
    values = settle(row, now) | _begin_meters(row, meters)
    known = planning.known(row, plan, meters, now=now)
    decision = decide(plan, facts=known.facts, now=now)
    if decision.task is None:
        _write(row, values | _seen(plan, decision, now))
        return None
    return _open(row, plan, known, decision.task, values=values, now=now)


@transaction.atomic
def _open(
    row: Course, plan: Plan, known: planning.Known, asked: Outlook, *, values: dict[str, Any], now: datetime
) -> Task | None:
    """Open the task that is asked for, if nobody was faster."""
    facts = _after(known.facts, asked)
    values = values | {"settled": facts.history.settled, "made": facts.history.made}
    if not _write(row, values | _seen(plan, decide(plan, facts=facts, now=now), now)):
        return None
    task = bring(row, asked, alert=_alert(plan, known, asked), now=now)
    Course.objects.filter(pk=row.pk).update(task=task)
    return task


def bring(row: Course, asked: Outlook, *, alert: Alert | None, now: datetime, kind: str = "") -> Task:
    """Open a task of a course; the caller has taken the course's next step and writes the task into it."""
    plan, due = row.plan, asked.due or now
    return open_planned(
        columns={
            "title": plan.title or plan.name,
            "description": plan.description,
            "priority": plan.priority,
            "estimated_seconds": plan.estimated_seconds,
            "due_date": due,
            "asset": row.asset,
            "checklist": plan.checklist,
            "alert": alert,
        },
        owners=plan.owners,
        planned={
            "plan": plan,
            "asset": row.asset,
            "kind": kind or asked.kind,
            "reason": asked.reason,
            "detail": asked.detail[:LONGEST_DETAIL],
            "due": due,
            "grace": usual_grace(max(due - (row.closed or row.begun_at), timedelta(0))),
        },
        now=now,
    )


def _after(facts: Facts, asked: Outlook) -> Facts:
    """Return the facts as they are with the task opened."""
    history = facts.history
    settled = asked.due if asked.kind is Kind.CALENDAR and asked.due is not None else history.settled
    return replace(facts, history=History(settled, history.closed, history.made + 1), unfinished=True)


def _alert(plan: Plan, known: planning.Known, asked: Outlook) -> Alert | None:
    """Return the alert that asked, unless it is work already: of that there is one at a time."""
    if asked.kind is not Kind.CONDITION:
        return None
    alert = known.alerts.get(plan.conditions[asked.place].rule)
    return None if alert is None or planning.work_on(alert.pk) else alert


# -- What becomes of a course -----------------------------------------------------------------------------


def settle(row: Course, now: datetime) -> dict[str, Any]:
    """Close a course as ``close`` does, and let it wait for what came back, in memory; return what this changes."""
    values = close(row, now)
    if row.task is None and (task := planning.unfinished(row)):
        row.task = task
        values |= {"task": task}
    return values


def close(row: Course, now: datetime) -> dict[str, Any]:
    """Close what a course waited for, in memory, if that is over; return the columns that this changes."""
    at = planning.closing(row, now=now)
    if at is None:
        return {}
    row.task, row.closed, row.bases = None, at, {}
    return {"task": None, "closed": at, "bases": {}}


def _begin_meters(row: Course, meters: Mapping[str, AssetMeter]) -> dict[str, Any]:
    """Note what meters showed when the last task was closed, in memory, where that can be told by now."""
    since = row.closed or row.begun_at
    # By their ids: one that left the plan and came back has begun to count anew.
    there = {str(meter.pk): meter for meter in meters.values() if meter.time is not None and not meter.behind}
    fresh = {pk: meter.total - counting.used_since(meter, since) for pk, meter in there.items() if pk not in row.bases}
    if not fresh:
        return {}
    held = {str(meter.pk) for meter in meters.values()} & row.bases.keys()
    row.bases = {pk: row.bases[pk] for pk in held} | fresh
    return {"bases": row.bases}


def _seen(plan: Plan, decision: Decision, now: datetime) -> dict[str, Any]:
    """Return the columns that tell what was found, and when to look again."""
    soon = [one.opens for one in decision.outlooks if one.opens is not None and one.opens > now]
    look_at = min([*soon, now + (METERS_EVERY if plan.meters else EVERY)])
    return _told(decision.next, decision.outlooks) | {"look_at": look_at, "looked_at": now}


def _told(first: Outlook | None, outlooks: tuple[Outlook, ...]) -> dict[str, Any]:
    return {
        "due": first.due if first else None,
        "opens": first.opens if first else None,
        "kind": first.kind if first else "",
        "reason": first.reason if first else "",
        "detail": first.detail[:LONGEST_DETAIL] if first else "",
        "outlooks": [_plain(one) for one in outlooks],
    }


def _plain(one: Outlook) -> dict[str, Any]:
    moments = {name: isoformat(at) if at else None for name, at in (("due", one.due), ("opens", one.opens))}
    return asdict(one) | {"kind": str(one.kind), "reason": str(one.reason)} | moments


def _write(row: Course, values: Mapping[str, Any]) -> bool:
    """Write columns of a course as it was read; False where somebody has written it since."""
    rows = Course.objects.filter(pk=row.pk, steps=row.steps)
    return bool(rows.update(**values, steps=F("steps") + 1))
