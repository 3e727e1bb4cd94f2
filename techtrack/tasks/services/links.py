"""Makes and revokes links by which anybody may read one task."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from django.db import transaction

from techtrack.accounts.domain.access import Access
from techtrack.accounts.domain.credentials import digest
from techtrack.core.errors import Conflict, Forbidden, Invalid
from techtrack.tasks import queries
from techtrack.tasks.models import Task, TaskLink

LASTS = timedelta(days=7)
LONGEST = timedelta(days=366)
MOST = 50


class BadExpiry(Invalid):
    """A link would be over before its first use, or last for ever."""

    code = "bad_expiry"


class TooManyLinks(Conflict):
    """A task has as many links as it can have."""

    code = "too_many_links"


@transaction.atomic
def create_link(*, task: Task, by: Access, expires_at: datetime | None, now: datetime) -> tuple[TaskLink, str]:
    """Make a link to a task, for a week unless said; return it with its key, which is not kept.

    Whoever may delete the task may show it to everybody.

    Raises:
        BadExpiry: it has passed, or is more than a year from now.
        TooManyLinks: revoke one.
    """
    require_showing(by=by, task=task)
    ends = now + LASTS if expires_at is None else expires_at
    if not now < ends <= now + LONGEST:
        raise BadExpiry(f"a time in the next {LONGEST.days} days is expected", pointer="/expires_at")
    task.hold()
    if TaskLink.objects.filter(task=task, revoked_at=None, expires_at__gt=now).count() >= MOST:
        raise TooManyLinks(f"a task has {MOST} links at most: revoke one")
    key = secrets.token_urlsafe(32)
    link = TaskLink.objects.create(
        task=task, created_by_id=by.user_id, digest=digest(key), expires_at=ends, created_at=now, updated_at=now
    )
    return link, key


@transaction.atomic
def revoke_link(*, link: TaskLink, by: Access, expected: int | None, now: datetime) -> None:
    """Let a link open nothing from now on; whoever may make one may."""
    require_showing(by=by, task=queries.whole(link.task_id))
    link.change(expected=expected, now=now, revoked_at=now)


def require_showing(*, by: Access, task: Task) -> None:
    """Pass for those who may show a task to everybody."""
    if not queries.may_delete(by, task):
        raise Forbidden("only who made or owns this task may show it to everybody")
