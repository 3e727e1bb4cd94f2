"""Tasks that the platform itself opens, and opens again: nobody made them, and who operates the asset has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from techtrack.tasks import queries
from techtrack.tasks.domain.board import at_the_end
from techtrack.tasks.models import PlannedTask, Task, TaskEdit
from techtrack.tasks.services.people import replace_people
from techtrack.tasks.services.recording import record


def open_planned(
    *, columns: Mapping[str, Any], owners: Sequence[int], planned: Mapping[str, Any], now: datetime
) -> Task:
    """Open a task that a plan brings, as columns of PlannedTask tell; call it in the transaction of its cause."""
    stamps = {"created_at": now, "updated_at": now, "position": at_the_end(now)}
    task = Task.objects.create(automatic=True, **stamps, **columns)
    PlannedTask.objects.create(task=task, **planned)
    replace_people(task, owners=owners or None, shares=None)
    made = queries.whole(task.pk)
    record(None, made, by=None, now=now, event=TaskEdit.Event.CREATED)
    return made
