"""Moves tasks on the board."""

from __future__ import annotations

from collections.abc import Mapping
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
        OtherColumn: the neighbour is not of that state.
        Forbidden, Stale, AnotherTaskIsOpen: as ``update_task`` does.
    """
    # One at a time: two that go to the same gap come to stand one behind the other.
    Head.hold(_HEAD)
    target = state or task.state
    for name, neighbour in (("before", before), ("after", after)):
        if neighbour is not None:
            neighbour.refresh_from_db(fields=["position", "state"])
            if neighbour.state != target or neighbour.pk == task.pk:
                raise OtherColumn(f"another task of the state {target} is expected", pointer=f"/{name}")
    rows = queries.column(target, without=task)
    place = board.between(*queries.gap(rows, before=before, after=after))
    moved: list[int] = []
    if place is None:
        moved = _make_room(rows, before=before, after=after)
        place = board.between(*queries.gap(rows, before=before, after=after))
    changes: dict[str, Any] = {"position": place} | ({} if state is None else {"state": state})
    with events.at_once():
        made = update_task(task=task, by=by, changes=changes, expected=None, now=now)
        _tell(moved)
    return made


def _make_room(rows: TaskQuerySet, *, before: Task | None, after: Task | None) -> list[int]:
    """Move as few tasks of a column as it takes apart from each other; return which."""
    column = list(rows.values_list("pk", "position"))
    ids = [pk for pk, _ in column]
    gap = ids.index(before.pk) if before else ids.index(after.pk) + 1 if after else len(ids)
    places = {ids[index]: place for index, place in board.relaid([place for _, place in column], gap=gap).items()}
    list(Task.objects.select_for_update(no_key=True).filter(pk__in=places).order_by("pk").values_list("pk", flat=True))
    for pk, place in places.items():
        # Nobody has edited them: their versions stay.
        Task.objects.filter(pk=pk).update(position=place)
    for neighbour in (before, after):
        if neighbour is not None:
            neighbour.refresh_from_db(fields=["position"])
    return list(places)


def _tell(moved: list[int]) -> None:
    found: Mapping[int, queries.Snapshot] = queries.snapshots(Task.objects.filter(pk__in=moved)) if moved else {}
    events.publish_all([TaskChanged(pk, "changed", one.audience, one.summary) for pk, one in found.items()])
