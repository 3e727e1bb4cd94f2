"""Keeps the history of tasks, and says what becomes of them to those who may see them, and who may no longer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from techtrack.accounts.domain.access import Access
from techtrack.core import events
from techtrack.tasks import queries
from techtrack.tasks.domain.audience import NOBODY
from techtrack.tasks.events import TaskChanged
from techtrack.tasks.models import Task, TaskEdit, TaskQuerySet
from techtrack.tasks.queries import Snapshot

_Event = TaskEdit.Event


def record(before: Snapshot | None, task: Task, *, by: Access | None, now: datetime, event: str = "changed") -> None:
    """Note what became of a task that was read ``whole``, and tell of it; ``before`` is None where it is new.

    Call it behind all that the transaction writes of the task.
    """
    known = {} if before is None else {task.pk: before}
    _record(known, {task.pk: queries.snapshot(task)}, by=by, now=now, event=event)


@contextmanager
def recorded(rows: TaskQuerySet, *, by: Access | None, now: datetime) -> Iterator[list[int]]:
    """Do the same for what happens meanwhile to these tasks; of those that are gone afterwards nothing is noted.

    Yields their ids. They are locked: what others write of them is noted as theirs.
    """
    ids = queries.locked(rows)
    before = queries.snapshots(ids)
    yield ids
    _record(before, queries.snapshots(ids), by=by, now=now, event=_Event.CHANGED)


_Snapshots = Mapping[int, Snapshot]


def _record(before: _Snapshots, after: _Snapshots, *, by: Access | None, now: datetime, event: str) -> None:
    # Whoever acts for the platform itself is no person.
    person = by.user_id or None if by else None
    TaskEdit.objects.bulk_create(
        _edit(TaskEdit(task_id=pk, at=now, by_id=person, event=event), before.get(pk), found)
        for pk, found in after.items()
        if pk not in before or before[pk].version != found.version
    )
    _tell(before, after)


def _edit(edit: TaskEdit, before: Snapshot | None, after: Snapshot) -> TaskEdit:
    edit.version = after.version
    if before is not None:
        names = [name for name, value in after.fields.items() if before.fields.get(name) != value]
        edit.before = {name: before.fields.get(name) for name in names}
        edit.after = {name: after.fields[name] for name in names}
    return edit


def _tell(before: _Snapshots, after: _Snapshots) -> None:
    seeing = {pk: found.audience for pk, found in after.items()}
    # First: who is in both by different ways gets the task back at once.
    lost = [(pk, was.audience.without(seeing.get(pk, NOBODY))) for pk, was in before.items()]
    gone = [TaskChanged(pk, "deleted", audience) for pk, audience in lost if audience]
    # Who begins to see it hears of it as of any change.
    there = [
        TaskChanged(pk, "changed" if pk in before and before[pk].audience else "created", found.audience, found.summary)
        for pk, found in after.items()
        if found.audience
    ]
    events.publish_all([*gone, *there])
