"""How long people worked."""

from __future__ import annotations

from datetime import timedelta

from techtrack.tasks.domain.labour import Stretch, spent
from techtrack.tasks.models import TimeEntry


def time_spent(task_id: int) -> timedelta:
    """Return the time of all people on a task; a clock that is running counts when it is stopped."""
    rows = TimeEntry.objects.filter(task=task_id, ended_at__isnull=False).order_by()
    stretches = rows.values_list("pk", "person", "started_at", "ended_at")
    # Of those who are gone nobody knows who was whom: each counts for itself.
    return spent(Stretch(person or f"gone-{pk}", start, end) for pk, person, start, end in stretches if end)
