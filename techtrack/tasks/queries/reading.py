"""Tasks read whole, and held while something is written of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from techtrack.core.errors import NotFound
from techtrack.tasks.models import Task, TaskQuerySet

# Ids in one statement; SQLite takes 32,766 in all.
_AT_ONCE = 5000


def whole(pk: int) -> Task:
    """Return a task with all that is shown of it, deleted or not."""
    return Task.objects.whole().get(pk=pk)


def held(pk: int) -> Task:
    """Return a task that nobody has deleted, locked until commit, as it is now.

    Raises:
        NotFound: it is gone.
    """
    # Of what is joined to it nothing is locked: an asset that is busy is nobody's hindrance.
    found = Task.objects.kept().whole().select_for_update(of=("self",), no_key=True).filter(pk=pk).first()
    if found is None:
        raise NotFound("the task is gone")
    return found


def locked(rows: TaskQuerySet, limit: int | None = None) -> list[int]:
    """Return the ids of these tasks, locked until commit; in their order, so that nobody waits in a circle."""
    return list(rows.order_by("pk").select_for_update(no_key=True).values_list("pk", flat=True)[:limit])


def parts(ids: Sequence[int], size: int = _AT_ONCE) -> Iterator[Sequence[int]]:
    """Part ids, however many, into as many as one statement takes."""
    return (ids[start : start + size] for start in range(0, len(ids), size))
