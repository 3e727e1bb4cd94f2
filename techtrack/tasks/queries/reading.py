"""Single tasks, read whole."""

from __future__ import annotations

from techtrack.core.errors import NotFound
from techtrack.tasks.models import Task


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
