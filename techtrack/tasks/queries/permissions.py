"""Who may see or change a task, and with whom a caller may share one."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Q, QuerySet

from techtrack.accounts.domain.access import Access, Role
from techtrack.accounts.models import Membership, User
from techtrack.tasks.models import Level, Task


def may_write(by: Access, task: Task) -> bool:
    """Tell whether the caller may change ``task``: maker, owner, shared for writing, or operator at its asset."""
    return (
        may_delete(by, task)
        or operates(by, task)
        or any(share.user_id == by.user_id and share.level == Level.WRITE for share in task.shared_with)
    )


def may_delete(by: Access, task: Task) -> bool:
    """Tell whether the caller may delete ``task``: maker or owner, or an operator at the asset of nobody's task.

    That is one which a machine opened, or which neither its maker nor an owner is left to delete.
    """
    if by.user_id == task.created_by_id or by.user_id in task.owners:
        return True
    nobodys = task.automatic or (task.created_by_id is None and not task.owners)
    return nobodys and operates(by, task)


def operates(by: Access, task: Task) -> bool:
    """Tell whether the caller operates the asset that ``task`` is about."""
    return task.asset is not None and by.allows(Role.OPERATOR, task.asset.site_id)


def strangers(by: Access, ids: Sequence[int]) -> set[int]:
    """Return those of ``ids`` that are no active person who shares a site with the caller, nor the caller."""
    others = set(ids) - {by.user_id}
    if not others:
        return others
    known = User.objects.filter(memberships__in=_colleagues(by), pk__in=others, is_active=True)
    return others - set(known.values_list("pk", flat=True))


def _colleagues(by: Access) -> QuerySet[Membership]:
    """The memberships of people at the caller's sites; who is at all sites is everybody's colleague."""
    sites = by.sites()
    if sites is None:
        return Membership.objects.all()
    here = Q(site__in=sites) | Q(site=None)
    return Membership.objects.filter(here) if sites else Membership.objects.none()
