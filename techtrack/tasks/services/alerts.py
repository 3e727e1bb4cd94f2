"""Opens the tasks that alerts need."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from techtrack.alerts.models import Alert
from techtrack.tasks.domain.board import at_the_end
from techtrack.tasks.domain.workflow import draft_for_alert
from techtrack.tasks.models import Task, TaskEdit
from techtrack.tasks.queries import planning
from techtrack.tasks.services.proving import refute_by
from techtrack.tasks.services.recording import record


@transaction.atomic
def open_for_alert(*, alert_id: int, wish: Mapping[str, Any], now: datetime) -> Task | None:
    """Open the task that a rule wishes for an alert; None where an unfinished one is there already, or of one before.

    Where the alert refutes a repair that is just being proved, that task is opened again instead. Call it in the
    transaction that raised the alert.
    """
    alert = Alert.objects.select_related("asset").get(pk=alert_id)
    if again := refute_by(alert=alert, now=now):
        return again
    if planning.work_on(alert.pk):
        return None
    draft = draft_for_alert(wish, title=alert.title, asset=alert.asset.name, severity=alert.severity)
    task = Task(
        title=draft.title,
        description=draft.description,
        priority=draft.priority,
        asset=alert.asset,
        alert=alert,
        automatic=True,
        position=at_the_end(now),
        created_at=now,
        updated_at=now,
    )
    try:
        # The unique constraint decides, whoever raises the alert again at the same moment.
        with transaction.atomic():
            task.save(force_insert=True)
    except IntegrityError:
        return None
    record(None, task, by=None, now=now, event=TaskEdit.Event.CREATED)
    return task
