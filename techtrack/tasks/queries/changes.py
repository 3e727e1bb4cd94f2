"""What a caller who keeps a copy of the tasks has to know since the last time."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q, QuerySet

from techtrack.accounts.domain.access import Access
from techtrack.core.models import Head
from techtrack.tasks.domain import sync
from techtrack.tasks.domain.sync import Cursor, ResyncNeeded
from techtrack.tasks.models import Departure, Task

# Of the numbers of change; and the last departure that is kept no longer.
HEAD, FORGOTTEN = "tasks", "tasks-forgotten"


@dataclass(frozen=True, slots=True)
class Changes:
    """Tasks that changed, as they are now; ids of those that are gone, or no longer the caller's to see.

    ``following`` is the cursor to go on with; at once if there is ``more``.
    """

    tasks: list[Task]
    gone: list[int]
    following: Cursor
    more: bool


def changes(access: Access, since: Cursor | None, *, limit: int) -> Changes:
    """Return what changed since then, at most ``limit`` tasks and as many departures.

    Raises:
        ResyncNeeded: that is not known any more, or what the caller may see is not what it was.
    """
    # Read first: all that has such a number, and each departure before now, is there for what is read below.
    newest = Head.current(HEAD)
    left = Departure.objects.order_by("pk").values_list("pk", flat=True).last() or Head.current(FORGOTTEN)
    scope = sync.scope(access.user_id, access.sites(), access.only_site, access.only_asset)
    since = since or Cursor(0, 0, left, scope)
    tasks = list(_changed(access, since, newest)[: limit + 1])
    departed = list(_departed(access, since, left)[: limit + 1]) if since.departure < left else []
    # Read last: what was forgotten meanwhile may have been among these.
    known = since.scope == scope and since.number <= newest and since.departure <= left
    if not known or Head.current(FORGOTTEN) > since.departure:
        raise ResyncNeeded("begin again without `since`, and forget what you have")
    gone = {task for _, task in departed[:limit]}
    if gone:
        # What came back is among the tasks, or will be.
        gone -= set(Task.objects.visible_to(access).filter(pk__in=gone).values_list("pk", flat=True))
    reached = (newest, 0) if len(tasks) <= limit else (tasks[limit - 1].numbered.number, tasks[limit - 1].pk)
    departure = left if len(departed) <= limit else departed[limit - 1][0]
    more = max(len(tasks), len(departed)) > limit
    return Changes(tasks[:limit], sorted(gone), Cursor(*reached, departure, scope), more)


def _changed(access: Access, since: Cursor, newest: int) -> QuerySet[Task]:
    behind = Q(numbered__number__gt=since.number)
    if since.task:
        behind |= Q(numbered__number=since.number, pk__gt=since.task)
    rows = Task.objects.visible_to(access).filter(behind, numbered__number__lte=newest)
    return rows.whole().select_related("numbered").order_by("numbered__number", "pk")


def _departed(access: Access, since: Cursor, newest: int) -> QuerySet[Departure, tuple[int, int]]:
    rows = Departure.objects.filter(pk__gt=since.departure, pk__lte=newest)
    if access.only_asset is not None:
        rows = rows.filter(asset_id=access.only_asset)
    else:
        sites = access.sites()
        there = Q(site_id__isnull=False) if sites is None else Q(site_id__in=sites)
        rows = rows.filter(Q(person_id=access.user_id) | there)
    return rows.order_by("pk").values_list("pk", "task_id")
