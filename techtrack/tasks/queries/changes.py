"""What a caller who keeps a copy of the tasks has to know since the last time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from techtrack.accounts.domain.access import Access
from techtrack.core.models import Head
from techtrack.tasks.domain import sync
from techtrack.tasks.domain.sync import Cursor, ResyncNeeded
from techtrack.tasks.models import Departure, Task

HEAD = "tasks"


@dataclass(frozen=True, slots=True)
class Changes:
    """Tasks that changed, as they are now; ids of those that are gone, or no longer the caller's to see.

    ``following`` is the cursor to go on with; at once if there is ``more``.
    """

    tasks: list[Task]
    gone: list[int]
    following: Cursor
    more: bool


def changes(access: Access, since: Cursor | None, *, limit: int, now: datetime) -> Changes:
    """Return what changed since then, at most ``limit`` tasks and as many departures.

    Raises:
        ResyncNeeded: that is not known any more, or what the caller may see is not what it was.
    """
    today, scope = sync.day_of(now), sync.scope(access.user_id, access.sites(), access.only_site, access.only_asset)
    # Read first: all that has such a number is there for what is read below.
    newest = Head.current(HEAD)
    if since is None:
        last = _departures(access).last()
        since = Cursor(0, 0, last[0] if last else 0, today, scope)
    if since.scope != scope or since.number > newest or not since.is_known(now):
        raise ResyncNeeded("begin again without `since`, and forget what you have")
    tasks = list(_changed(access, since, newest)[: limit + 1])
    departed = list(_departures(access).filter(pk__gt=since.departure)[: limit + 1])
    more = max(len(tasks), len(departed)) > limit
    tasks, departed = tasks[:limit], departed[:limit]
    gone = {task for _, task in departed}
    if gone:
        # What came back is among the tasks, or will be.
        gone -= set(Task.objects.visible_to(access).filter(pk__in=gone).values_list("pk", flat=True))
    reached = (tasks[-1].numbered.number, tasks[-1].pk) if tasks else (since.number, since.task)
    departure = departed[-1][0] if departed else since.departure
    return Changes(tasks, sorted(gone), Cursor(*reached, departure, today, scope), more)


def _changed(access: Access, since: Cursor, newest: int) -> QuerySet[Task]:
    behind = Q(numbered__number__gt=since.number) | Q(numbered__number=since.number, pk__gt=since.task)
    rows = Task.objects.visible_to(access).filter(behind, numbered__number__lte=newest)
    return rows.whole().select_related("numbered").order_by("numbered__number", "pk")


def _departures(access: Access) -> QuerySet[Departure, tuple[int, int]]:
    """Return what the caller has lost, by the ids of departures and tasks."""
    if access.only_asset is not None:
        rows = Departure.objects.filter(asset_id=access.only_asset)
    else:
        sites = access.sites()
        there = Q(site_id__isnull=False) if sites is None else Q(site_id__in=sites)
        rows = Departure.objects.filter(Q(person_id=access.user_id) | there)
    return rows.order_by("pk").values_list("pk", "task_id")
