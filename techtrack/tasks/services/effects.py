"""What a write of a task brings with it: steps still to be answered, blocks, clocks, reminders, meters, proofs."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from techtrack.core.errors import Conflict
from techtrack.tasks import queries
from techtrack.tasks.domain.steps import parse_steps, refuse_open
from techtrack.tasks.domain.workflow import UNFINISHED
from techtrack.tasks.models import MeterAnswer, State, Task
from techtrack.tasks.services.labour import stop_clocks
from techtrack.tasks.services.proofs import follow_work
from techtrack.tasks.services.reminders import arm_reminders


class TaskBlocked(Conflict):
    """The task waits for others that are not finished."""

    code = "task_blocked"


def follow_up(task: Task, changed: Collection[str], *, now: datetime) -> None:
    """Do what follows from having ``changed`` these columns of a task; in the transaction that did, its row held.

    Raises:
        StepsOpen: it was done although its checklist is not.
        TaskBlocked: it was begun or done although it waits for others.
    """
    if "state" in changed:
        _follow_state(task, now=now)
    if not {"reminders", "due_date"}.isdisjoint(changed):
        arm_reminders(task, now=now)
    if "asset" in changed:
        _move_meters(task)


def _follow_state(task: Task, *, now: datetime) -> None:
    if task.state == State.DONE:
        refuse_open(parse_steps(task.checklist), queries.answers_of(task))
    if task.state in {State.IN_PROGRESS, State.DONE} and (waiting := queries.unfinished_blockers(task.pk)):
        others = "another task" if len(waiting) == 1 else f"{len(waiting)} other tasks"
        raise TaskBlocked(f"it waits for {others}: finish that first")
    if task.state not in UNFINISHED:
        stop_clocks(task, now=now)
    follow_work(task, now=now)


def _move_meters(task: Task) -> None:
    """Let what the meters of a task showed be what they showed at the asset that it is about now."""
    rows = MeterAnswer.objects.filter(task=task)
    if task.asset_id is None:
        rows.delete()
    else:
        rows.update(asset=task.asset_id)
