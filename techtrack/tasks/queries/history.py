"""What became of a task, as those who merge into it need to know."""

from __future__ import annotations

from techtrack.tasks.domain.merging import Edit
from techtrack.tasks.models import Task, TaskEdit


def edits_since(task: Task, version: int) -> list[Edit]:
    """Return the writes of a task after the one that made ``version``, as far as they are known."""
    rows = TaskEdit.objects.filter(task=task, version__gt=version).order_by("version")
    return [Edit(row.version, row.before, row.after) for row in rows]
