"""Deletes tasks so that it can be undone for a while, undoes it, and forgets them in the end."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from techtrack.accounts.domain.access import Access
from techtrack.alerts import hiding
from techtrack.core import events
from techtrack.core.errors import Conflict, Forbidden, Stale
from techtrack.tasks import queries
from techtrack.tasks.domain.sync import LASTS
from techtrack.tasks.models import Departure, Task, TaskEdit, TaskLink
from techtrack.tasks.services.explaining import cause_of, explain
from techtrack.tasks.services.labour import stop_clocks
from techtrack.tasks.services.recording import record
from techtrack.tasks.services.tasks import one_open

KEPT = timedelta(days=30)
AT_ONCE = 500
_EVERYTHING = {"state", "alert", "asset"}


class NotDeleted(Conflict):
    """There is nothing to be undone."""

    code = "not_deleted"


@transaction.atomic
def delete_task(*, task: Task, by: Access, expected: int | None, now: datetime) -> None:
    """Delete a task; its maker and its owners may, and an operator where a machine opened it."""
    if not queries.may_delete(by, task):
        raise Forbidden("only who made or owns this task may delete it")
    try:
        _delete(task, by=by, expected=task.version if expected is None else expected, now=now)
    except Stale:
        if expected is not None:
            raise
        found = queries.held(task.pk)
        _delete(found, by=by, expected=found.version, now=now)


def _delete(task: Task, *, by: Access, expected: int, now: datetime) -> None:
    before = queries.snapshot(task)
    task.change(expected=expected, now=now, deleted_at=now, deleted_by_id=by.user_id or None)
    hiding.unsuppress(by=cause_of(task))
    with events.at_once():
        # Nobody could stop them: who may not see a task may not see its clock.
        stop_clocks(task, now=now)
        record(before, queries.whole(task.pk), by=by, now=now, event=TaskEdit.Event.DELETED)


@transaction.atomic
def restore_task(*, task: Task, by: Access, now: datetime) -> Task:
    """Undo the deletion of a task: whoever may delete it may.

    Raises:
        NotDeleted: nobody has deleted it, or somebody else was faster to undo it.
        AnotherTaskIsOpen: a machine has opened another one for its alert since.
    """
    if not queries.may_delete(by, task):
        raise Forbidden("only who made or owns this task may bring it back")
    if task.deleted_at is None:
        raise NotDeleted("this task is not deleted")
    before = queries.snapshot(task)
    try:
        with one_open(task):
            task.change(expected=task.version, now=now, deleted_at=None, deleted_by_id=None)
    except Stale as error:
        raise NotDeleted("somebody else was faster") from error
    explain(task, _EVERYTHING, by=by, now=now)
    restored = queries.whole(task.pk)
    record(before, restored, by=by, now=now, event=TaskEdit.Event.RESTORED)
    return restored


@transaction.atomic
def forget_deleted(*, now: datetime) -> bool:
    """Remove tasks that were deleted too long ago to come back, links that are long over, and old departures.

    True where more is due.
    """
    old = now - KEPT
    # Locked: one that somebody brings back at this moment stays.
    tasks = queries.locked(Task.objects.filter(deleted_at__lt=old), AT_ONCE)
    Task.objects.filter(pk__in=tasks).delete()
    TaskLink.objects.filter(expires_at__lt=old).delete()
    departures = Departure.objects.filter(at__lt=now - LASTS - timedelta(days=1)).order_by("pk")
    departed = list(departures.values_list("pk", flat=True)[:AT_ONCE])
    Departure.objects.filter(pk__in=departed).delete()
    return AT_ONCE in {len(tasks), len(departed)}
