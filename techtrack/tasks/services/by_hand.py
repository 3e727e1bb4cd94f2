"""Makes an alert into work because a person says so."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from techtrack.accounts.domain.access import Access, Role
from techtrack.alerts.models import Alert
from techtrack.core.errors import Conflict
from techtrack.tasks.domain.workflow import draft_for_alert
from techtrack.tasks.models import Task
from techtrack.tasks.queries import planning
from techtrack.tasks.services.tasks import create_task


class TaskExists(Conflict):
    """The alert is somebody's work already, or an earlier one of its rule at the asset is still a machine's."""

    code = "task_exists"


@transaction.atomic
def open_by_hand(*, alert: Alert, by: Access, data: Mapping[str, Any], now: datetime) -> Task:
    """Create a task for an alert (with asset and rule) from columns of Task and ``owners``; the rest is as it suggests.

    Raises:
        TaskExists: see there. Also as ``create_task``.
    """
    by.require(Role.OPERATOR, alert.asset.site_id)
    if there := planning.work_on(alert.pk):
        raise TaskExists(f"task {there} is the work on this already: finish that one")
    wish = (alert.rule.open_task if alert.rule else None) or {}
    draft = draft_for_alert(wish, title=alert.title, asset=alert.asset.name, severity=alert.severity)
    columns = {"title": draft.title, "description": draft.description, "priority": draft.priority}
    return create_task(by=by, data=columns | dict(data) | {"asset": alert.asset, "alert": alert}, now=now)
