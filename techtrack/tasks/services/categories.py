"""Writes categories."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F

from techtrack.accounts.domain.access import Access
from techtrack.core import events
from techtrack.core.errors import Conflict, Forbidden
from techtrack.tasks import queries
from techtrack.tasks.models import Category, Task
from techtrack.tasks.services.recording import recorded


class CategoryExists(Conflict):
    """The caller has a category of that name already."""

    code = "category_exists"


class CategoryInUse(Conflict):
    """A task has come into it while it was emptied."""

    code = "category_in_use"


@transaction.atomic
def create_category(*, by: Access, data: Mapping[str, Any], now: datetime) -> Category:
    """Create a category of the caller's own.

    Raises:
        CategoryExists: the caller has one of that name.
    """
    try:
        with transaction.atomic():
            return Category.objects.create(owner_id=by.user_id, created_at=now, updated_at=now, **data)
    except IntegrityError as error:
        raise CategoryExists(f"you have a category {data['name']!r} already") from error


@transaction.atomic
def update_category(
    *, category: Category, by: Access, changes: Mapping[str, Any], expected: int | None, now: datetime
) -> Category:
    """Change a category of the caller's own; raises as ``create_category`` does."""
    _require_owner(by, category)
    try:
        with transaction.atomic():
            return category.change(expected=expected, now=now, **changes)
    except IntegrityError as error:
        raise CategoryExists(f"you have a category {changes['name']!r} already") from error


@transaction.atomic
def delete_category(*, category: Category, by: Access, expected: int | None, now: datetime) -> None:
    """Delete a category of the caller's own; its tasks stay, without it.

    Raises:
        CategoryInUse: see there.
    """
    _require_owner(by, category)
    with events.at_once():
        with recorded(Task.objects.filter(category=category), by=by, now=now) as ids:
            for part in queries.parts(ids):
                Task.objects.filter(pk__in=part).update(category=None, version=F("version") + 1, updated_at=now)
        # Last, as those do who write tasks: whoever puts one into it has done so before this, or finds it gone.
        category.hold()
        if Task.objects.filter(category=category).exists():
            raise CategoryInUse("somebody has just put a task into it: try again")
        category.remove(expected=expected)


def _require_owner(by: Access, category: Category) -> None:
    if category.owner_id != by.user_id:
        raise Forbidden("this category is not yours")
