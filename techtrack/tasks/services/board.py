"""Moves tasks on the board."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from techtrack.accounts.domain.access import Access
from techtrack.core import events
from techtrack.core.errors import Invalid
from techtrack.core.models import Head
from techtrack.tasks import queries
from techtrack.tasks.domain import board
from techtrack.tasks.events import TaskChanged
from techtrack.tasks.models import Task, TaskQuerySet
from techtrack.tasks.services.tasks import update_task

_HEAD = "tasks-board"


class OtherColumn(Invalid):
    """The neighbour stands in another column than the one the task goes to."""

    code = "other_column"


@transaction.atomic
def move_task(
    *, task: Task, by: Access, state: str | None, before: Task | None, after: Task | None, now: datetime
) -> Task:
    """Put a task before or after another one, of the ``state`` it goes to (None: the one it has); or at the end.

    Raises:
        OtherColumn: the neighbour is not of that state, or gone.
        Forbidden, Stale, AnotherTaskIsOpen: as ``update_task`` does.
    """
    # One at a time: two that go to the same gap come to stand one behind the other.
    Head.hold(_HEAD)
    target = state or task.state
    rows = queries.column(target, without=task)
    for name, neighbour in (("before", before), ("after", after)):
        if neighbour is not None and not _find(rows, neighbour):
            raise OtherColumn(f"another task of the state {target} is expected", pointer=f"/{name}")
    place = board.between(*queries.gap(rows, before=before, after=after))
    moved: list[int] = []
    if place is None:
        moved = _make_room(task, rows, before=before, after=after)
        place = board.between(*queries.gap(rows, before=before, after=after))
    changes: dict[str, Any] = {"position": place} | ({} if state is None else {"state": state})
    with events.at_once():
        made = update_task(task=task, by=by, changes=changes, expected=None, now=now)
        _tell(moved)
    return made


def _find(rows: TaskQuerySet, neighbour: Task) -> bool:
    """Learn where a neighbour stands by now; False where that is not in this column any more."""
    place = rows.filter(pk=neighbour.pk).values_list("position", flat=True).first()
    if place is not None:
        neighbour.position = place
    return place is not None


def _make_room(task: Task, rows: TaskQuerySet, *, before: Task | None, after: Task | None) -> list[int]:
    """Move as few tasks of a column as it takes apart from each other; return which."""
    column = [(place, -pk) for pk, place in rows.values_list("pk", "position")]
    relaid = board.relaid([place for place, _ in column], gap=_gap(column, before=before, after=after))
    places = {-column[index][1]: place for index, place in relaid.items()}
    # With the task itself, which is written next: whoever writes many of them locks them in this order, too.
    queries.locked(Task.objects.filter(pk__in=[task.pk, *places]))
    for pk, place in places.items():
        # Nobody has edited them: their versions stay.
        Task.objects.filter(pk=pk).update(position=place)
    for neighbour in (before, after):
        if neighbour is not None:
            neighbour.position = places.get(neighbour.pk, neighbour.position)
    return list(places)


def _gap(column: Sequence[tuple[float, int]], *, before: Task | None, after: Task | None) -> int:
    """Return how many stand above a gap: by their places, since a neighbour may have left by now."""
    if before is not None:
        return bisect_left(column, (before.position, -before.pk))
    return len(column) if after is None else bisect_right(column, (after.position, -after.pk))


def _tell(moved: list[int]) -> None:
    found = queries.snapshots(moved)
    events.publish_all([TaskChanged(pk, "changed", one.audience, one.summary) for pk, one in found.items()])
