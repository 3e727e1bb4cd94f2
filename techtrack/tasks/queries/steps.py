"""What was answered to the steps of checklists, and what meters showed before."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Q

from techtrack.tasks.domain.steps import Answer, Progress, is_counted, judge, parse_steps, progress
from techtrack.tasks.models import MeterAnswer, Task, planned_of

# A task and those before it in its series.
_SERIES = """
    WITH RECURSIVE series (id, before) AS (
        SELECT id, follows_id FROM tasks_task WHERE id = %s
        UNION
        SELECT t.id, t.follows_id FROM tasks_task t JOIN series s ON t.id = s.before
    )
    SELECT id FROM series
"""


def meters_before(task: Task, *, keys: Collection[str], now: datetime) -> dict[str, float]:
    """Return by key what the meters of the asset showed last, as other tasks have it; before this one read them.

    A key that somebody gave names the same meter in all checklists of the asset, one that a step got by its place
    names it in those of the same plan or series.
    """
    if task.asset_id is None or not keys:
        return {}
    rows = MeterAnswer.objects.filter(asset=task.asset_id, at__lte=now)
    until = dict(rows.filter(task=task.pk, key__in=keys).values_list("key", "at"))
    counted = {key for key in keys if is_counted(key)}
    same = Q(key__in=set(keys) - counted)
    if counted:
        same |= Q(key__in=counted) & _of_one_list(task)
    # Oldest first, so that the newest of each key stays.
    others = rows.filter(same).exclude(task=task.pk).order_by("at", "pk").values_list("key", "value", "at")
    return {key: value for key, value, at in others if at <= until.get(key, now)}


def _of_one_list(task: Task) -> Q:
    """Return what holds for the readings of tasks whose checklist was copied from the same one."""
    if plan := planned_of(task):
        return Q(task__planned__plan=plan)
    with connection.cursor() as cursor:
        cursor.execute(_SERIES, [task.pk])
        return Q(task__in=[pk for (pk,) in cursor.fetchall()])


def answers_of(task: Task) -> dict[str, Answer]:
    """Return the answers of a task by the keys of its steps, as the rules know them."""
    return {key: Answer(told["value"], told["restarted"]) for key, told in task.answers.items()}


@dataclass(frozen=True, slots=True)
class Checked:
    """A checklist as people are shown it: its answers, with what each says of the asset, and how far it is."""

    answers: dict[str, dict[str, Any]]
    progress: Progress


def checked(task: Task) -> Checked:
    """Return how far the checklist of a task is; what was answered to steps that are gone is not shown."""
    steps, answers = parse_steps(task.checklist), answers_of(task)
    shown = {
        step.key: task.answers[step.key] | {"verdict": judge(step, answers[step.key]).value}
        for step in steps
        if step.key in answers
    }
    return Checked(shown, progress(steps, answers))
