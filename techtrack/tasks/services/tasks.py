"""Creates and changes tasks; two who change the same one keep what each of them changed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Model, Value
from django.db.models.functions import Coalesce

from techtrack.accounts.domain.access import Access, Role
from techtrack.assets.models import Asset
from techtrack.core import events
from techtrack.core.errors import Conflict, Forbidden, Invalid, Stale
from techtrack.tasks import queries
from techtrack.tasks.domain.board import at_the_end
from techtrack.tasks.domain.merging import merge
from techtrack.tasks.domain.steps import written_steps
from techtrack.tasks.models import State, Task, TaskEdit
from techtrack.tasks.services.effects import follow_up
from techtrack.tasks.services.explaining import explain
from techtrack.tasks.services.people import Shares, add_people, check, replace_people, require_people
from techtrack.tasks.services.recording import record
from techtrack.tasks.services.repeating import begin_next, settled

# So many writes of others are looked through for what they changed.
MOST_MERGED = 500


class AnotherTaskIsOpen(Conflict):
    """The alert has another unfinished task that a machine opened for it."""

    code = "another_task_is_open"


class DueBeforeItsStart(Invalid):
    """The work would have to be done before it begins."""

    code = "due_before_its_start"


@transaction.atomic
def create_task(*, by: Access, data: Mapping[str, Any], now: datetime) -> Task:
    """Create a task from columns of Task, ``owners`` (ids) and ``shared_with`` ((id, level) pairs).

    Without owners the maker owns it. A task about an asset needs an operator at the asset's site.

    Raises:
        UnknownPerson, NotYourCategory, NamedTwice, DueBeforeItsStart, BadRecurrence: see there.
    """
    columns, owners, shares = _split(data, maker=by.user_id)
    check(by, columns, owners=owners or [], shares=shares or [], held=None)
    _require_at_asset(by, columns.get("asset"))
    columns |= settled(columns, None, by=by, now=now)
    _check_dates(columns.get("start_date"), columns.get("due_date"))
    done = {"completed_at": now} if columns.get("state") == State.DONE else {}
    stamps = {"created_at": now, "updated_at": now, "position": at_the_end(now)}
    task = Task.objects.create(created_by_id=by.user_id, **stamps, **columns, **done)
    add_people(task, owners=[by.user_id] if owners is None else owners, shares=shares or ())
    return _finish(task, None, columns, by=by, now=now)


@transaction.atomic
def update_task(*, task: Task, by: Access, changes: Mapping[str, Any], expected: int | None, now: datetime) -> Task:
    """Write ``changes`` (as ``data`` of ``create_task``; ``owners`` None gives it back to its maker).

    Raises:
        AnotherTaskIsOpen: it would be the second unfinished one that a machine opened for its alert.
        Stale: somebody else was faster. Also as ``create_task``.
    """
    if expected is not None:
        return _write(task, changes, by=by, expected=expected, now=now)
    try:
        return _write(task, changes, by=by, expected=task.version, now=now)
    except Stale:
        # Whatever it is meanwhile, it is changed: its history needs to know what it was.
        found = queries.held(task.pk)
        return _write(found, changes, by=by, expected=found.version, now=now)


@transaction.atomic
def merge_task(*, task: Task, by: Access, changes: Mapping[str, Any], read: int, now: datetime) -> Task:
    """Write ``changes`` of somebody who had read version ``read``; others keep what they have changed since.

    Raises:
        Clashing: the same was changed by both.
        Stale: it is not known what was changed since. Also as ``update_task``.
    """
    _require_write(by, task)
    found = queries.held(task.pk)
    # The history is read with the row held: not all of a long one for a version that nobody can have.
    if read < 1 or found.version - read > MOST_MERGED:
        raise Stale("it is not known what has changed since you read it")
    yours = {name: value for column, one in changes.items() for name, value in queries.written(column, one).items()}
    edits = queries.edits_since(found, read) if read != found.version else []
    merged = merge(yours, read=read, version=found.version, edits=edits)
    wanted = {column: _merged(column, one, merged) for column, one in changes.items() if _asked(column, one, merged)}
    if read != found.version and not wanted:
        return found
    # Each list was right, and both together may be too long.
    written_steps(wanted.get("checklist", []))
    return _write(found, wanted, by=by, expected=found.version, now=now)


def _asked(column: str, value: Any, merged: Mapping[str, Any]) -> bool:
    return not merged.keys().isdisjoint(queries.written(column, value))


def _merged(column: str, value: Any, merged: Mapping[str, Any]) -> Any:
    """Return what is to be written of a column: lists have both people's items."""
    if column == "shared_with":
        return [(share["user"], share["level"]) for share in merged[column]]
    return merged[column] if isinstance(value, list) else value


def _write(task: Task, changes: Mapping[str, Any], *, by: Access, expected: int, now: datetime) -> Task:
    _require_write(by, task)
    columns, owners, shares = _split(changes, maker=task.created_by_id)
    require_people(by, task, owners=owners, shares=shares)
    check(by, columns, owners=owners or [], shares=shares or [], held=task)
    if "asset" in columns and columns["asset"] != task.asset:
        _require_at_asset(by, columns["asset"])
    columns |= settled(columns, task, by=by, now=now)
    _check_dates(columns.get("start_date", task.start_date), columns.get("due_date", task.due_date))
    # Of the version that was read, which the write below proves to be the one before it.
    before = queries.snapshot(task)
    with one_open(task):
        task.change(expected=expected, now=now, **columns, **_completion(columns.get("state"), now))
    for name, value in columns.items():
        if isinstance(value, Model):
            # The row was read anew, and what it refers to would be as well.
            setattr(task, name, value)
    replace_people(task, owners=owners, shares=shares)
    return _finish(task, before, columns, by=by, now=now)


def _finish(
    task: Task, before: queries.Snapshot | None, columns: Mapping[str, Any], *, by: Access, now: datetime
) -> Task:
    """Let follow what follows from a write, note it, and return the task whole."""
    if before is not None or task.state == State.IN_PROGRESS:
        explain(task, columns, by=by, now=now)
    # Told together: from the first fact on others wait, and nothing may be written of what may be going.
    with events.at_once():
        follow_up(task, _NEW & columns.keys() if before is None else _changed(task, before, columns), now=now)
        made = queries.whole(task.pk)
        if made.state == State.DONE and (before is None or before.fields["state"] != State.DONE):
            begin_next(made, by=by, now=now)
        record(before, made, by=by, now=now, event=TaskEdit.Event.CHANGED if before else TaskEdit.Event.CREATED)
    return made


# What something follows from where a task is made with it.
_NEW = {"state", "reminders", "due_date"}


def _changed(task: Task, before: queries.Snapshot, columns: Collection[str]) -> set[str]:
    """Return the columns whose write made a difference: a PUT writes all of them."""
    now = {name: queries.written(name, getattr(task, name)) for name in columns}
    return {name for name, told in now.items() if any(before.fields.get(key) != one for key, one in told.items())}


@contextmanager
def one_open(task: Task) -> Iterator[None]:
    """Let the database see to it that no two unfinished tasks of machines are about one alert.

    Raises:
        AnotherTaskIsOpen: this would be the second.
    """
    if not task.automatic:
        yield
        return
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        raise AnotherTaskIsOpen("the alert has another unfinished task: finish that one") from error


def _split(data: Mapping[str, Any], *, maker: int | None) -> tuple[dict[str, Any], list[int] | None, Shares | None]:
    """Part ``data`` into columns, owners and shares; None stands for what the caller does not touch."""
    columns = dict(data)
    shares = columns.pop("shared_with", None)
    if "owners" not in columns:
        return columns, None, shares
    owners = columns.pop("owners")
    default = [] if maker is None else [maker]
    return columns, default if owners is None else list(owners), shares


def _require_write(by: Access, task: Task) -> None:
    if not queries.may_write(by, task):
        raise Forbidden("you may read this task, but not change it")


def _require_at_asset(by: Access, asset: Asset | None) -> None:
    """Pass for work about an asset where the caller operates, and for private work of a person.

    A key bound to a site or an asset cannot make private work: it could not see it again.
    """
    if asset is not None:
        by.require(Role.OPERATOR, asset.site_id)
    bound = by.only_asset is not None or by.only_site is not None
    if bound and (asset is None or by.only_asset not in {None, asset.pk}):
        raise Forbidden("this key is bound to a site or an asset: name an asset that it reaches")


def _check_dates(start: datetime | None, due: datetime | None) -> None:
    if start is not None and due is not None and due < start:
        raise DueBeforeItsStart("it would be due before it begins", pointer="/due_date")


def _completion(state: str | None, now: datetime) -> dict[str, Any]:
    """When it was completed follows from the state, in the same statement; done again keeps the first time."""
    if state is None:
        return {}
    return {"completed_at": Coalesce(F("completed_at"), Value(now)) if state == State.DONE else None}
