"""Every write of down times: when an asset was out of work, as planned or because it failed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from techtrack.accounts.domain.access import Access, Role
from techtrack.core.errors import Conflict, Invalid
from techtrack.tasks.models import Downtime

# Clocks of clients may be ahead a little.
AHEAD = timedelta(minutes=5)


class DownAlready(Conflict):
    """The asset is down for the same kind of reason already: that time is to end first."""

    code = "down_already"


class BadDowntime(Invalid):
    """It is no stretch of time in which an asset was, or is to be, out of work."""

    code = "bad_downtime"


class NotDown(Conflict):
    """It has ended already."""

    code = "not_down"


@transaction.atomic
def create_downtime(*, by: Access, data: Mapping[str, Any], now: datetime) -> Downtime:
    """Note a down time from the columns in ``data``; without ``starts_at`` it begins now.

    Raises:
        DownAlready: see there.
        BadDowntime: it ends before it starts, or an unplanned one lies in the future.
    """
    row = Downtime(**{"starts_at": now} | dict(data), created_by_id=by.user_id or None, created_at=now, updated_at=now)
    by.require(Role.OPERATOR, row.asset.site_id)
    _prove(row, now)
    _prove_task(row)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        raise DownAlready("the asset is down already: end that time first") from error
    return row


@transaction.atomic
def update_downtime(
    *, downtime: Downtime, by: Access, changes: Mapping[str, Any], expected: int | None, now: datetime
) -> Downtime:
    """Write ``changes``; raises as ``create_downtime``, and Stale where somebody else was faster."""
    if changes.get("starts_at", now) is None:
        # Left out of what replaces all of it.
        changes = dict(changes) | {"starts_at": now}
    by.require(Role.OPERATOR, downtime.asset.site_id)
    wanted = _held(downtime)
    about = wanted.task_id, wanted.asset_id
    for name, value in changes.items():
        setattr(wanted, name, value)
    by.require(Role.OPERATOR, wanted.asset.site_id)
    _prove(wanted, now)
    if about != (wanted.task_id, wanted.asset_id):
        # Otherwise it was right when it was written: the task may have gone to another asset since.
        _prove_task(wanted)
    try:
        with transaction.atomic():
            return downtime.change(expected=expected, now=now, **changes)
    except IntegrityError as error:
        raise DownAlready("the asset is down already: end that time first") from error


@transaction.atomic
def end_downtime(*, downtime: Downtime, by: Access, expected: int | None, now: datetime) -> Downtime:
    """Say that the asset works again, from now on.

    Raises:
        NotDown: it has ended.
        BadDowntime: it has not begun.
    """
    by.require(Role.OPERATOR, downtime.asset.site_id)
    # Of two people at the button the second is told that it is done, and not that somebody has changed it.
    held = _held(downtime)
    if held.ends_at is not None:
        raise NotDown("this down time has ended already")
    if held.starts_at >= now:
        raise BadDowntime("it has not begun yet: delete it, or give it another time", pointer="/starts_at")
    return downtime.change(expected=held.version if expected is None else expected, now=now, ends_at=now)


@transaction.atomic
def delete_downtime(*, downtime: Downtime, by: Access, expected: int | None) -> None:
    """Delete a down time that never was."""
    by.require(Role.OPERATOR, downtime.asset.site_id)
    downtime.remove(expected=expected)


def _held(downtime: Downtime) -> Downtime:
    """Lock a down time and read it again; as it was where it is gone, which its write will tell."""
    rows = Downtime.objects.select_for_update(of=("self",)).select_related("asset")
    return rows.filter(pk=downtime.pk).first() or downtime


def _prove(row: Downtime, now: datetime) -> None:
    if row.ends_at is not None and row.ends_at <= row.starts_at:
        raise BadDowntime("it ends before it starts", pointer="/ends_at")
    if not row.planned and row.starts_at > now + AHEAD:
        raise BadDowntime("only what is planned may lie ahead", pointer="/starts_at")


def _prove_task(row: Downtime) -> None:
    if row.task is not None and row.task.asset_id != row.asset_id:
        raise BadDowntime("the task is about another asset", pointer="/task")
