"""Writes what technicians answer to the steps of a checklist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from techtrack.accounts.domain.access import Access
from techtrack.core.clock import isoformat
from techtrack.core.errors import Forbidden
from techtrack.tasks import queries
from techtrack.tasks.domain.steps import Answer, Meter, Step, parse_answers, parse_steps
from techtrack.tasks.domain.workflow import refuse_finished
from techtrack.tasks.models import MeterAnswer, Task
from techtrack.tasks.services.tasks import update_task


@transaction.atomic
def answer_steps(*, task: Task, by: Access, answers: Any, expected: int | None, now: datetime) -> Task:
    """Record ``answers`` as ``domain.steps.parse_answers`` reads them; the other steps keep theirs.

    Raises:
        TaskFinished: see there.
        Stale: it has another version than ``expected``. Also as ``parse_answers``.
    """
    if not queries.may_write(by, task):
        raise Forbidden("you may read this task, but not change it")
    # Held, and read again: two who answer at once both mean what they say.
    task.hold()
    task = Task.objects.whole().get(pk=task.pk)
    refuse_finished(task.state)
    steps = parse_steps(task.checklist)
    meters = [step.key for step in steps if isinstance(step, Meter)]
    before = queries.meters_before(task, keys=meters, now=now)
    given = parse_answers(steps, answers, before=before)
    _note_meters(task, steps, given, now)
    # Those to steps that are gone go with them, or there would be more of them with every other checklist.
    there = {step.key for step in steps}
    held = {key: answer for key, answer in task.answers.items() if key in there}
    changes = {"answers": _merged(held, given, by, now)}
    return update_task(task=task, by=by, changes=changes, expected=expected, now=now)


def _merged(
    held: Mapping[str, Any], given: Mapping[str, Answer | None], by: Access, now: datetime
) -> dict[str, dict[str, Any]]:
    new = {
        key: {"value": answer.value, "restarted": answer.restarted, "by": by.user_id, "at": isoformat(now)}
        for key, answer in given.items()
        if answer is not None
    }
    return {key: answer for key, answer in held.items() if key not in given} | new


def _note_meters(task: Task, steps: Sequence[Step], given: Mapping[str, Answer | None], now: datetime) -> None:
    read = {step.key: given[step.key] for step in steps if isinstance(step, Meter) and step.key in given}
    if not read or task.asset_id is None:
        return
    rows = MeterAnswer.objects.filter(task=task, key__in=read)
    # Who corrects what was read says what it showed then.
    times = dict(rows.values_list("key", "at"))
    rows.delete()
    MeterAnswer.objects.bulk_create(
        MeterAnswer(asset_id=task.asset_id, key=key, value=answer.value, at=times.get(key, now), task=task)
        for key, answer in read.items()
        if answer is not None
    )
