"""Reads of work: who may see or change a task, with whom a caller may share one, what would go with an asset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from techtrack.accounts.domain.access import Access, Role
from techtrack.accounts.events import PersonalDataAsked
from techtrack.accounts.models import Membership, User
from techtrack.assets.events import WhatHolds
from techtrack.core.clock import isoformat
from techtrack.core.rows import Section, naming
from techtrack.tasks.domain.audience import Audience
from techtrack.tasks.domain.workflow import UNFINISHED
from techtrack.tasks.models import Category, Level, Task, TaskOwner, TaskQuerySet, TaskShare

MOST_SHOWN = 500


def may_write(by: Access, task: Task) -> bool:
    """Tell whether the caller may change ``task``: maker, owner, shared for writing, or operator at its asset."""
    return (
        may_delete(by, task)
        or _operates(by, task)
        or task.share_rows.filter(user=by.user_id, level=Level.WRITE).exists()
    )


def may_delete(by: Access, task: Task) -> bool:
    """Tell whether the caller may delete ``task``: maker or owner, or an operator at the asset of nobody's task.

    That is one which a machine opened, or which neither its maker nor an owner is left to delete.
    """
    if by.user_id == task.created_by_id or by.user_id in task.owners:
        return True
    nobodys = task.automatic or (task.created_by_id is None and not task.owners)
    return nobodys and _operates(by, task)


def strangers(by: Access, ids: Sequence[int]) -> set[int]:
    """Return those of ``ids`` that are no active person who shares a site with the caller, nor the caller."""
    shared = Q(memberships__in=_colleagues(by))
    known = User.objects.filter(shared | Q(pk=by.user_id), pk__in=ids, is_active=True)
    return set(ids) - set(known.values_list("pk", flat=True))


def goes_with(asset_id: int) -> TaskQuerySet:
    """Tasks that only the asset's site can see: nobody who made, took or shares them is there."""
    return Task.objects.filter(asset=asset_id, created_by=None, owner_rows=None, share_rows=None)


def concerning(user_id: int) -> TaskQuerySet:
    """Tasks that this person has made, owns or shares."""
    owned = TaskOwner.objects.filter(user=user_id).values("task")
    shared = TaskShare.objects.filter(user=user_id).values("task")
    return Task.objects.filter(Q(created_by=user_id) | Q(pk__in=owned) | Q(pk__in=shared))


def left_behind(user_id: int) -> TaskQuerySet:
    """Those of them that without this person are nobody's: about no asset, made and owned by no other."""
    rows = concerning(user_id).filter(Q(created_by=user_id) | Q(created_by=None), asset=None)
    return rows.exclude(pk__in=TaskOwner.objects.exclude(user=user_id).values("task"))


def audiences(rows: TaskQuerySet) -> dict[int, Audience]:
    """Return who may see each of the tasks, by its id."""
    return {task.pk: _audience(task) for task in _told(rows)}


def summaries(ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Return tasks as open pages and subscribers get them, by their ids."""
    return {task.pk: _summary(task) for task in _told(Task.objects.filter(pk__in=ids))}


def unfinished_summaries(
    access: Access, *, site_id: int | None = None, user_id: int | None = None
) -> list[dict[str, Any]]:
    """Return unfinished tasks that the caller may see, newest first: of a site (0 for none), of a person, or all."""
    rows = Task.objects.visible_to(access) if user_id is None else concerning(user_id)
    if site_id is not None:
        rows = rows.filter(asset__isnull=False, asset__site=site_id or None)
    return [_summary(task) for task in _told(rows.filter(state__in=UNFINISHED))[:MOST_SHOWN]]


def what_we_hold(question: WhatHolds) -> list[str]:
    """Answer how many tasks would go with an asset (connected to ``WhatHolds``); people's own work stays."""
    count = goes_with(question.asset_id).count()
    return [f"{count} task{'' if count == 1 else 's'}"] if count else []


def _told(rows: TaskQuerySet) -> QuerySet[Task]:
    """The tasks with everything that is told of them."""
    return rows.select_related("asset").prefetch_related("owner_rows", "share_rows")


def _audience(task: Task) -> Audience:
    people = {task.created_by_id, *task.owners, *(share.user_id for share in task.shared_with)}
    site = task.asset.site_id or 0 if task.asset else None
    return Audience(frozenset(pk for pk in people if pk), site)


def _summary(task: Task) -> dict[str, Any]:
    return {
        "id": task.pk,
        "title": task.title,
        "priority": task.priority,
        "state": task.state,
        "due_date": _moment(task.due_date),
        "owners": task.owners,
        "shared_with": [{"user": share.user_id, "level": share.level} for share in task.shared_with],
        "equipment": task.equipment,
        "sensor": task.sensor,
        "alert": task.alert_id,
        "created_by": task.created_by_id,
        "created_at": isoformat(task.created_at),
        "updated_at": isoformat(task.updated_at),
        "completed_at": _moment(task.completed_at),
        "version": task.version,
    }


def _moment(moment: datetime | None) -> str | None:
    return isoformat(moment) if moment else None


def _operates(by: Access, task: Task) -> bool:
    return task.asset is not None and by.allows(Role.OPERATOR, task.asset.site_id)


def _colleagues(by: Access) -> QuerySet[Membership]:
    """The memberships of people at the caller's sites; who is at all sites is everybody's colleague."""
    sites = by.sites()
    if sites is None:
        return Membership.objects.all()
    here = Q(site__in=sites) | Q(site=None)
    return Membership.objects.filter(here) if sites else Membership.objects.none()


def personal_data(asked: PersonalDataAsked) -> Iterator[Section]:
    """Answer with tasks that the person made, is to do, or was shared, and the drawers for them."""
    yield naming(Task, asked.user_id, "created_by")
    yield naming(TaskOwner, asked.user_id, "user")
    yield naming(TaskShare, asked.user_id, "user")
    yield naming(Category, asked.user_id, "owner")
