"""Writes which task waits for which."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction

from techtrack.accounts.domain.access import Access
from techtrack.core.errors import Conflict, Forbidden
from techtrack.core.models import Head
from techtrack.tasks import queries
from techtrack.tasks.models import Block, Task

HEAD = "task blocks"
MOST_BLOCKERS = 100


class CircularBlock(Conflict):
    """Each of the tasks would wait for the other, and none would ever be done."""

    code = "circular_block"


class BlockedAlready(Conflict):
    """The task waits for that one already."""

    code = "blocked_already"


class TooManyBlockers(Conflict):
    """A task waits for more than anybody can follow."""

    code = "too_many_blockers"


@transaction.atomic
def block(*, task: Task, blocker: Task, by: Access, now: datetime) -> Block:
    """Let ``task`` wait for ``blocker``, which the caller must see; it need not be one that the caller may change.

    Raises:
        CircularBlock, BlockedAlready, TooManyBlockers: see there.
    """
    _require_write(task, by)
    # One at a time: of two that each look for a circle before the other is written, neither would find it.
    Head.hold(HEAD)
    if task.pk == blocker.pk or queries.waits_for(blocker.pk, task.pk):
        raise CircularBlock("each would wait for the other, and none would ever be done")
    if Block.objects.filter(task=task).count() >= MOST_BLOCKERS:
        raise TooManyBlockers(f"a task waits for {MOST_BLOCKERS} others at most")
    try:
        with transaction.atomic():
            return Block.objects.create(
                task=task, blocker=blocker, created_by_id=by.user_id, created_at=now, updated_at=now
            )
    except IntegrityError as error:
        raise BlockedAlready("it waits for that task already") from error


@transaction.atomic
def unblock(*, row: Block, by: Access, expected: int | None) -> None:
    """Let a task wait for another one no more."""
    _require_write(row.task, by)
    row.remove(expected=expected)


def _require_write(task: Task, by: Access) -> None:
    if not queries.may_write(by, task):
        raise Forbidden("you may read this task, but not change it")
