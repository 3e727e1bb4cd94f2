"""Neighbours on the board: the unfinished and finished tasks of one state, in the order in which people put them."""

from __future__ import annotations

from django.db.models import Q

from techtrack.tasks.models import Task, TaskQuerySet


def column(state: str, *, without: Task) -> TaskQuerySet:
    """All tasks of a state but one, from the top."""
    return Task.objects.kept().filter(state=state).exclude(pk=without.pk).order_by("position", "-pk")


def gap(rows: TaskQuerySet, *, before: Task | None, after: Task | None) -> tuple[float | None, float | None]:
    """Return the places above and below a gap of a column: beside one of its tasks, or at its end; None at an edge."""
    if before is not None:
        above = Q(position__lt=before.position) | Q(position=before.position, pk__gt=before.pk)
        return _place(rows.filter(above).last()), before.position
    if after is not None:
        below = Q(position__gt=after.position) | Q(position=after.position, pk__lt=after.pk)
        return after.position, _place(rows.filter(below).first())
    return _place(rows.last()), None


def _place(task: Task | None) -> float | None:
    return None if task is None else task.position
