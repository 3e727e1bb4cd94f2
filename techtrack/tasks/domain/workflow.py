"""Decides what a task's state and dates mean, and what a task opened by a machine says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from techtrack.core.errors import Conflict

UNFINISHED = ("open", "in_progress", "on_hold")
LONGEST_TITLE = 300
LONGEST_DESCRIPTION = 20_000
_PRIORITIES = {"info": 1, "low": 1, "medium": 2, "high": 3, "critical": 4}


class TaskFinished(Conflict):
    """What was found is what it was done with, and nobody works on it; who goes on opens the task again."""

    code = "task_finished"


@dataclass(frozen=True, slots=True)
class Draft:
    """What a task opened by a machine says."""

    title: str
    description: str
    priority: int


def is_overdue(state: str, due: datetime | None, now: datetime) -> bool:
    """Tell whether the work should have been done by ``now``; what is finished never is."""
    return due is not None and state in UNFINISHED and due < now


def refuse_finished(state: str) -> None:
    """Pass for work that goes on.

    Raises:
        TaskFinished: see there.
    """
    if state not in UNFINISHED:
        raise TaskFinished("the task is finished: open it again to go on with it")


def draft_for_alert(wish: Mapping[str, object], *, title: str, asset: str, severity: str) -> Draft:
    """Word the task that a rule wishes for an alert.

    ``wish`` may hold ``title``, ``description`` and ``priority`` (1 to 4). What is missing or of another form is
    taken from the alert: a rule that was stored long ago must not keep an alert from being raised.
    """
    wished = wish.get("title")
    name = wished.strip() if isinstance(wished, str) else ""
    description = wish.get("description")
    priority = wish.get("priority")
    usable = isinstance(priority, int) and not isinstance(priority, bool) and priority in {1, 2, 3, 4}
    return Draft(
        title=(name or f"{asset}: {title}")[:LONGEST_TITLE],
        description=description[:LONGEST_DESCRIPTION] if isinstance(description, str) else "",
        priority=priority if usable else _PRIORITIES[severity],  # type: ignore[arg-type]
    )
