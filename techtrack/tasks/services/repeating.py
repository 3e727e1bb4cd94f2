"""Keeps the rules of tasks that come again, and makes the next one when one is done."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from techtrack.accounts.domain.access import Access
from techtrack.accounts.models import User
from techtrack.core.errors import Invalid
from techtrack.tasks import queries
from techtrack.tasks.domain import series
from techtrack.tasks.domain.board import at_the_end
from techtrack.tasks.domain.schedule import History
from techtrack.tasks.models import Task, TaskEdit
from techtrack.tasks.services.effects import follow_up
from techtrack.tasks.services.people import add_people
from techtrack.tasks.services.recording import record


class NoRule(Invalid):
    """There are terms of recurrence, and nothing that recurs."""

    code = "no_rule"


_RULED = {"recurrence", "recurrence_terms"}
# What the next task of a series says as the one before it.
_KEPT = (
    "title",
    "description",
    "priority",
    "category_id",
    "asset_id",
    "created_by_id",
    "estimated_seconds",
    "checklist",
)


def settled(columns: Mapping[str, Any], task: Task | None, *, by: Access, now: datetime) -> dict[str, Any]:
    """Return what else must be written where ``columns`` change the rule of a task (None: a new one), or its terms.

    A start is taken from the dates of the task, a time zone from the caller; a task without a due date is due when the
    rule first says so.

    Raises:
        NoRule, BadRule, Endless, BadRecurrence, BadSchedule, UnknownTimeZone: see there.
    """
    if not _RULED & columns.keys():
        return {}
    held = Task() if task is None else task
    rule, terms, due, start = (
        columns.get(name, getattr(held, name)) for name in ("recurrence", "recurrence_terms", "due_date", "start_date")
    )
    if task is not None and (rule, terms) == (task.recurrence, task.recurrence_terms):
        return {}
    if not rule:
        if terms not in ({}, held.recurrence_terms):
            raise NoRule("these terms surround no rule: add one", pointer="/recurrence_terms")
        return {"recurrence_terms": {}, "scheduled_for": None}
    zone = "" if "timezone" in terms else User.objects.values_list("time_zone", flat=True).get(pk=by.user_id)
    terms = series.completed(terms, start=due or start or now, zone=zone)
    first = series.first_due(series.schedule(rule, terms))
    due = due or first
    return {"recurrence_terms": terms, "due_date": due, "scheduled_for": due}


def begin_next(task: Task, *, by: Access, now: datetime) -> Task | None:
    """Make the next task of the series of one that was done; None where it is there already, or the series has ended.

    Call it in the transaction that wrote the task, which holds its row: however often it is done, one task is next.
    """
    if not task.recurrence or Task.objects.filter(follows=task).exists():
        return None
    made = series.schedule(task.recurrence, task.recurrence_terms)
    date = task.scheduled_for or task.due_date or task.created_at
    history = History(settled=date, closed=now, made=task.occurrence)
    turn = series.next_turn(made, history, start=task.start_date, due=task.due_date, now=now)
    if turn is None:
        return None
    following = Task.objects.create(
        **{name: getattr(task, name) for name in _KEPT},
        # Those at a moment were of this time.
        reminders=[reminder for reminder in task.reminders if "before" in reminder],
        recurrence=task.recurrence,
        recurrence_terms=task.recurrence_terms,
        occurrence=task.occurrence + 1,
        follows=task,
        start_date=turn.start,
        due_date=turn.due,
        scheduled_for=turn.due,
        position=at_the_end(now),
        created_at=now,
        updated_at=now,
    )
    shares = [(share.user_id, share.level) for share in task.shared_with]
    add_people(following, owners=task.owners, shares=shares)
    follow_up(following, {"reminders"}, now=now)
    record(None, queries.whole(following.pk), by=by, now=now, event=TaskEdit.Event.CREATED)
    return following
