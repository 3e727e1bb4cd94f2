"""Hides the alerts that the work itself causes."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from techtrack.alerts import hiding
from techtrack.tasks.models import State, Task


def cause_of(task: Task) -> str:
    """Return the name under which a task explains alerts."""
    return f"task:{task.pk}"


def explain(task: Task, changed: Collection[str], *, now: datetime) -> None:
    """Hide the alerts of an asset while somebody works on one of them, so that the work itself pages nobody."""
    if not {"state", "alert", "asset"} & set(changed):
        return
    if task.state == State.IN_PROGRESS and task.alert_id and task.asset_id:
        hiding.suppress(asset_id=task.asset_id, by=cause_of(task), starts_at=now)
    else:
        hiding.unsuppress(by=cause_of(task))
