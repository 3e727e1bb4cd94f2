"""What the key of a link opens."""

from __future__ import annotations

from datetime import datetime

from techtrack.accounts.domain.credentials import digest
from techtrack.accounts.queries import access_of
from techtrack.core.errors import Fault, Gone, NotFound
from techtrack.tasks.models import Task, TaskLink
from techtrack.tasks.queries.permissions import may_delete


class NoSuchLink(NotFound):
    """The key opens nothing, and never did as far as anybody knows."""

    code = "no_such_link"


class LinkExpired(Gone):
    """The link has opened something; its time is over, or it was taken back."""

    code = "link_expired"

    def __init__(self) -> None:
        super().__init__("this link is not valid any more: ask whoever sent it for another one")
        self.faults = (Fault("/key", self.code, self.detail),)


def linked(key: str, *, now: datetime) -> tuple[Task, TaskLink]:
    """Return the task that a key opens, and its link. A link has the authority of who made it, as it is today.

    So it opens nothing where they could not make it any more.

    Raises:
        NoSuchLink, LinkExpired: see there.
    """
    link = TaskLink.objects.select_related("created_by").filter(digest=digest(key)).first()
    if link is None:
        raise NoSuchLink("this link leads nowhere")
    if link.revoked_at is not None or link.expires_at <= now or not link.created_by.is_active:
        raise LinkExpired
    maker = access_of(link.created_by)
    task = Task.objects.visible_to(maker).whole().filter(pk=link.task_id).first()
    if task is None or not may_delete(maker, task):
        raise LinkExpired
    return task, link
