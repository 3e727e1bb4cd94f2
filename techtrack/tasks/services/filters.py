"""Keeps people's own filters of the list of tasks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from techtrack.accounts.domain.access import Access
from techtrack.core.errors import Conflict, Forbidden
from techtrack.tasks.models import SavedFilter

MOST = 200


class FilterExists(Conflict):
    """The caller has a filter of that name already."""

    code = "filter_exists"


class TooManyFilters(Conflict):
    """The caller keeps as many filters as one can."""

    code = "too_many_filters"


@transaction.atomic
def create_filter(*, by: Access, data: Mapping[str, Any], now: datetime) -> SavedFilter:
    """Keep a filter of the caller's own.

    Raises:
        FilterExists: the caller has one of that name.
        TooManyFilters: delete one.
    """
    if SavedFilter.objects.filter(owner=by.user_id).count() >= MOST:
        raise TooManyFilters(f"a person keeps {MOST} filters at most: delete one")
    try:
        with transaction.atomic():
            return SavedFilter.objects.create(owner_id=by.user_id, created_at=now, updated_at=now, **data)
    except IntegrityError as error:
        raise FilterExists(f"you have a filter {data['name']!r} already") from error


@transaction.atomic
def update_filter(
    *, saved: SavedFilter, by: Access, changes: Mapping[str, Any], expected: int | None, now: datetime
) -> SavedFilter:
    """Change a filter of the caller's own; raises as ``create_filter`` does."""
    _require_owner(by, saved)
    try:
        with transaction.atomic():
            return saved.change(expected=expected, now=now, **changes)
    except IntegrityError as error:
        raise FilterExists(f"you have a filter {changes['name']!r} already") from error


@transaction.atomic
def delete_filter(*, saved: SavedFilter, by: Access, expected: int | None) -> None:
    """Forget a filter of the caller's own."""
    _require_owner(by, saved)
    saved.remove(expected=expected)


def _require_owner(by: Access, saved: SavedFilter) -> None:
    if saved.owner_id != by.user_id:
        raise Forbidden("this filter is not yours")
