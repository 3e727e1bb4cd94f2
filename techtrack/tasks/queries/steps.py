"""What was answered to the steps of checklists, and what meters showed before."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from techtrack.tasks.domain.steps import Answer, Progress, judge, parse_steps, progress
from techtrack.tasks.models import MeterAnswer, Task


def meters_before(*, asset_id: int | None, keys: Collection[str], task_id: int, now: datetime) -> dict[str, float]:
    """Return by key what the meters of an asset showed last, as other tasks have it; before this one read them."""
    if asset_id is None or not keys:
        return {}
    rows = MeterAnswer.objects.filter(asset=asset_id, key__in=keys, at__lte=now)
    until = dict(rows.filter(task=task_id).values_list("key", "at"))
    # Oldest first, so that the newest of each key stays.
    others = rows.exclude(task=task_id).order_by("at", "pk").values_list("key", "value", "at")
    return {key: value for key, value, at in others if at <= until.get(key, now)}


def answers_of(task: Task) -> dict[str, Answer]:
    """Return the answers of a task by the keys of its steps, as the rules know them."""
    return {key: Answer(told["value"], told["restarted"]) for key, told in task.answers.items()}


@dataclass(frozen=True, slots=True)
class Checked:
    """A checklist as people are shown it: its answers, with what each says of the asset, and how far it is."""

    answers: dict[str, dict[str, Any]]
    progress: Progress


def checked(task: Task) -> Checked:
    """Return how far the checklist of a task is; what was answered to steps that are gone is not shown."""
    steps, answers = parse_steps(task.checklist), answers_of(task)
    shown = {
        step.key: task.answers[step.key] | {"verdict": judge(step, answers[step.key]).value}
        for step in steps
        if step.key in answers
    }
    return Checked(shown, progress(steps, answers))
