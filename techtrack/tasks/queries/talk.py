"""Who may take part in the talk about a task, whom a comment reaches, and which reminders are due."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Q
from django.db.models.functions import Lower

from techtrack.accounts.domain.access import Access
from techtrack.accounts.models import Membership, User
from techtrack.tasks.models import Level, Task, TaskReminder
from techtrack.tasks.queries.permissions import may_write

MOST_REMINDED = 100


def may_comment(by: Access, task: Task) -> bool:
    """Tell whether the caller may comment on ``task`` and attach files: whoever may change it, or it is shared so."""
    return may_write(by, task) or any(
        share.user_id == by.user_id and share.level == Level.COMMENT for share in task.shared_with
    )


def readers(task: Task, names: Iterable[str]) -> dict[str, int]:
    """Return those of these names who may see ``task``, as ids by their names in small letters."""
    wanted = set(names)
    people = {task.created_by_id, *task.owners, *(share.user_id for share in task.shared_with)} - {None}
    reach = Q(pk__in=people)
    if task.asset:
        # Of the rows that there are: who has none would count as one whose site is nowhere.
        roles = Membership.objects.filter(Q(site=None) | Q(site=task.asset.site_id))
        reach |= Q(pk__in=roles.values("user"))
    # SQLite knows capitals of ASCII alone: a name that is written as it was given is found by that.
    called = Q(small__in={name.lower() for name in wanted}) | Q(username__in=wanted)
    rows = User.objects.annotate(small=Lower("username")).filter(called, reach, is_active=True)
    return {name.lower(): pk for pk, name in rows.values_list("pk", "username")}


def reminders_due(now: datetime) -> list[int]:
    """Return the ids of reminders that are to fire, the earliest first."""
    rows = TaskReminder.objects.filter(spent=False, moment__lte=now).order_by("moment", "pk")
    return list(rows.values_list("pk", flat=True)[:MOST_REMINDED])
