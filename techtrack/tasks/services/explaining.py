"""Hides the alerts that the work itself causes."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from techtrack.accounts.domain.access import Access, Role
from techtrack.alerts import hiding
from techtrack.tasks.models import State, Task, planned_of

# Work that somebody forgot to end must not hide for ever what nobody hears of otherwise.
LONGEST = timedelta(days=1)


def cause_of(task: Task) -> str:
    """Return the name under which a task explains alerts."""
    return f"task:{task.pk}"


def explain(task: Task, changed: Collection[str], *, by: Access, now: datetime) -> None:
    """Hide the alerts of an asset while it is repaired or maintained, so that the work itself pages nobody.

    For so long at most; whoever says again that it is in progress has as long again. Only who operates the asset hides
    anything, as with a silence; anybody's end of the work shows it again.
    """
    if not {"state", "alert", "asset"} & set(changed):
        return
    if not (task.state == State.IN_PROGRESS and task.asset and (task.alert_id or planned_of(task))):
        hiding.unsuppress(by=cause_of(task))
    elif by.allows(Role.OPERATOR, task.asset.site_id):
        hiding.suppress(asset_id=task.asset.pk, by=cause_of(task), starts_at=now, until=now + LONGEST)
