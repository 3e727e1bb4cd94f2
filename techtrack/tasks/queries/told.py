"""What is kept and told of tasks, and to whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from techtrack.accounts.domain.access import Access
from techtrack.core.clock import iso_duration, isoformat
from techtrack.tasks.domain.audience import NOBODY, Audience
from techtrack.tasks.domain.workflow import UNFINISHED
from techtrack.tasks.models import Task, TaskQuerySet, TaskShare, phase_of, planned_of
from techtrack.tasks.queries.going import concerning
from techtrack.tasks.queries.reading import parts

MOST_SHOWN = 500


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A task as it was read: what its history keeps of it, what open pages get, and who may see it."""

    version: int
    fields: Mapping[str, Any]
    summary: Mapping[str, Any]
    audience: Audience


def snapshot(task: Task) -> Snapshot:
    """Return what a task says; no query where it was read ``whole``."""
    return Snapshot(task.version, _fields(task), _summary(task), _audience(task))


def snapshots(ids: Sequence[int]) -> dict[int, Snapshot]:
    """Return what each of these tasks says, by its id in their order; those that are gone are left out."""
    rows = Task.objects.whole().order_by("pk")
    return {task.pk: snapshot(task) for part in parts(ids) for task in rows.filter(pk__in=part)}


def audiences(rows: TaskQuerySet) -> dict[int, Audience]:
    """Return who may see each of the tasks, by its id."""
    return {task.pk: _audience(task) for task in rows.whole()}


def unfinished_summaries(
    access: Access, *, site_id: int | None = None, user_id: int | None = None
) -> list[dict[str, Any]]:
    """Return unfinished tasks that the caller may see, newest first: of a site (0 for none), of a person, or all."""
    rows = Task.objects.visible_to(access) if user_id is None else concerning(user_id).kept()
    if site_id is not None:
        rows = rows.filter(asset__isnull=False, asset__site=site_id or None)
    return [_summary(task) for task in rows.filter(state__in=UNFINISHED).whole()[:MOST_SHOWN]]


def written(name: str, value: Any) -> dict[str, Any]:
    """Return what a column, or a list of a task, becomes among the fields of its history, as JSON."""
    match name:
        case "asset":
            kind = None if value is None else value.kind
            return {one: value.pk if kind == one else None for one in ("equipment", "sensor")}
        case "shared_with":
            return {name: [{"user": user, "level": level} for user, level in value]}
        case "owners":
            return {name: sorted(value)}
        case "estimated_seconds":
            return {"estimated_time": None if value is None else iso_duration(timedelta(seconds=value))}
        case "category" | "alert":
            return {name: value and value.pk}
    return {name: isoformat(value) if isinstance(value, datetime) else value}


# Columns and lists of which a change is a change of the task that people see.
_COLUMNS = ("title", "description", "priority", "state", "start_date", "due_date", "estimated_seconds")
_KEPT = ("checklist", "answers", "reminders", "recurrence", "recurrence_terms", "position")


def _fields(task: Task) -> dict[str, Any]:
    fields: dict[str, Any] = {"category": task.category_id, "alert": task.alert_id, "owners": task.owners}
    fields["verification"] = phase_of(task)
    fields["shared_with"] = _shares(task.shared_with)
    for name in (*_COLUMNS, *_KEPT, "asset"):
        fields |= written(name, getattr(task, name))
    return fields


def _shares(rows: list[TaskShare]) -> list[dict[str, Any]]:
    return [{"user": share.user_id, "level": share.level} for share in rows]


def _audience(task: Task) -> Audience:
    if task.deleted_at is not None:
        return NOBODY
    people = {task.created_by_id, *task.owners, *(share.user_id for share in task.shared_with)}
    site = task.asset.site_id or 0 if task.asset else None
    return Audience(frozenset(pk for pk in people if pk), site, task.asset_id)


def _summary(task: Task) -> dict[str, Any]:
    return {
        "id": task.pk,
        "title": task.title,
        "priority": task.priority,
        "state": task.state,
        "start_date": _moment(task.start_date),
        "due_date": _moment(task.due_date),
        "position": task.position,
        "owners": task.owners,
        "shared_with": _shares(task.shared_with),
        "equipment": task.equipment,
        "sensor": task.sensor,
        "alert": task.alert_id,
        "plan": planned_of(task),
        "verification": phase_of(task),
        "created_by": task.created_by_id,
        "created_at": isoformat(task.created_at),
        "updated_at": isoformat(task.updated_at),
        "completed_at": _moment(task.completed_at),
        "version": task.version,
    }


def _moment(moment: datetime | None) -> str | None:
    return isoformat(moment) if moment else None
