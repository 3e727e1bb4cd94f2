"""Sets reminders of tasks, and fires each once."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from techtrack.core import events
from techtrack.tasks.domain.reminders import arm, parse_reminders
from techtrack.tasks.domain.workflow import UNFINISHED
from techtrack.tasks.events import ReminderDue
from techtrack.tasks.models import Task, TaskReminder


def arm_reminders(task: Task, *, now: datetime) -> None:
    """Set the reminders that a task wishes for, for the due date that it has; in the transaction that wrote them."""
    # One that fires at this moment stays as it becomes, or fires for the last time: rows that stay are not written.
    held = {row.armed(): row for row in TaskReminder.objects.filter(task=task)}
    wanted = arm(parse_reminders(task.reminders), due=task.due_date, now=now, before=held)
    gone = [row.pk for armed, row in held.items() if armed not in wanted]
    TaskReminder.objects.filter(pk__in=gone).delete()
    TaskReminder.objects.bulk_create(
        TaskReminder(task=task, at=one.reminder.at, before=one.reminder.before, moment=one.moment, spent=one.spent)
        for one in wanted
        if one not in held
    )


@transaction.atomic
def fire_reminder(*, pk: int, now: datetime) -> bool:
    """Fire one reminder that is due; tell whether there was anybody to be reminded.

    However many look at once, and however late: it fires once, and not for work that is finished or deleted.
    """
    row = TaskReminder.objects.select_related("task").filter(pk=pk, spent=False, moment__lte=now).first()
    if row is None:
        return False
    # Let the database choose one of those who look, and none where it was set to another moment meanwhile.
    if not TaskReminder.objects.filter(pk=pk, spent=False, moment=row.moment).update(spent=True):
        return False
    task = row.task
    people = tuple(task.owners or [pk for pk in [task.created_by_id] if pk])
    if task.state not in UNFINISHED or task.deleted_at is not None or not people:
        return False
    events.publish(ReminderDue(task.pk, task.due_date, people))
    return True
