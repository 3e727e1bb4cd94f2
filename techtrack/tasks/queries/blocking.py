"""What a task waits for."""

from __future__ import annotations

from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet

from techtrack.tasks.domain.workflow import UNFINISHED
from techtrack.tasks.models import Block

# Whatever waits for the first one, by however many steps; each is looked at once, so that this ends.
_WAITING = """
    WITH RECURSIVE waiting (id) AS (
        SELECT task_id FROM tasks_block WHERE blocker_id = %s
        UNION
        SELECT b.task_id FROM tasks_block b JOIN waiting w ON b.blocker_id = w.id
    )
    SELECT 1 FROM waiting WHERE id = %s
"""


def waits_for(task_id: int, other_id: int) -> bool:
    """Tell whether a task waits for another one, by whatever way."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, [other_id, task_id])
        return cursor.fetchone() is not None


def is_blocked() -> Exists:
    """Return what tells of a row of tasks whether it waits for one that is not finished."""
    return Exists(_unfinished().filter(task=OuterRef("pk")))


def unfinished_blockers(task_id: int) -> list[int]:
    """Return the ids of what a task still waits for."""
    return list(_unfinished().filter(task=task_id).values_list("blocker", flat=True))


def _unfinished() -> QuerySet[Block]:
    return Block.objects.filter(blocker__state__in=UNFINISHED, blocker__deleted_at=None)
