"""Writes when people worked on tasks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from techtrack.accounts.domain.access import Access
from techtrack.core import events
from techtrack.core.errors import Conflict, Forbidden, Invalid, NotFound
from techtrack.tasks import queries
from techtrack.tasks.domain.audience import NOBODY
from techtrack.tasks.domain.labour import LONGEST, check
from techtrack.tasks.domain.workflow import refuse_finished
from techtrack.tasks.events import TaskChanged
from techtrack.tasks.models import Task, TimeEntry


class ClockRunning(Conflict):
    """The clock of this person is running already, for this task or another: nobody works on two at once."""

    code = "clock_running"


class NoClock(NotFound):
    """No clock of this person is running for this task."""

    code = "no_clock"


class EndMissing(Invalid):
    """What was done is told with its end; what is going on is told by starting the clock."""

    code = "end_missing"


@transaction.atomic
def start_clock(*, task: Task, by: Access, note: str, now: datetime) -> TimeEntry:
    """Start the caller's clock for a task.

    Raises:
        ClockRunning: it is running already.
        TaskFinished: see there.
    """
    _require_write(task, by)
    # Read with its row held: who finishes the task at this moment stops this clock, too.
    refuse_finished(queries.held(task.pk).state)
    try:
        with transaction.atomic():
            return TimeEntry.objects.create(
                task=task, person_id=by.user_id, started_at=now, note=note, created_at=now, updated_at=now
            )
    except IntegrityError as error:
        # The unique constraint decides between two telephones of one person.
        raise ClockRunning("your clock is running already: stop it first") from error


@transaction.atomic
def stop_clock(*, task: Task, by: Access, now: datetime) -> TimeEntry:
    """Stop the caller's clock for a task.

    Raises:
        NoClock: it is not running.
    """
    task.hold()
    stopped = _stop(task, TimeEntry.objects.filter(person=by.user_id), now=now)
    if not stopped:
        raise NoClock("your clock is not running for this task")
    return stopped[0]


@transaction.atomic
def add_time(*, task: Task, by: Access, data: Mapping[str, Any], now: datetime) -> TimeEntry:
    """Write down when the caller worked on a task: ``started_at``, ``ended_at`` and ``note``.

    Raises:
        EndMissing, TimeBackwards, TimeToCome, TooLong: see there.
    """
    _require_write(task, by)
    _check(data["started_at"], data.get("ended_at"), now=now)
    task.hold()
    entry = TimeEntry.objects.create(task=task, person_id=by.user_id, created_at=now, updated_at=now, **data)
    count_time(task)
    return entry


@transaction.atomic
def change_time(
    *, entry: TimeEntry, by: Access, changes: Mapping[str, Any], expected: int | None, now: datetime
) -> TimeEntry:
    """Correct when one worked; raises as ``add_time``. Of a clock that is running the note can be changed alone."""
    _require_own(entry, by)
    entry = _held(entry)
    times = {name: changes[name] for name in ("started_at", "ended_at") if name in changes}
    if any(moment != getattr(entry, name) for name, moment in times.items()):
        said = {"started_at": entry.started_at, "ended_at": entry.ended_at} | times
        _check(said["started_at"], said["ended_at"], now=now, pointer=f"/{[*times][-1]}")
    entry.change(expected=expected, now=now, **changes)
    count_time(entry.task)
    return entry


@transaction.atomic
def delete_time(*, entry: TimeEntry, by: Access, expected: int | None) -> None:
    """Take back that one worked; who may delete the task may do so for others."""
    if not queries.may_delete(by, entry.task):
        _require_own(entry, by)
    entry.task.hold()
    entry.remove(expected=expected)
    count_time(entry.task)


def stop_clocks(task: Task, *, now: datetime) -> None:
    """Stop every clock that runs for a task, whose row is held: nobody works on it any more, whoever forgot to say."""
    _stop(task, TimeEntry.objects.all(), now=now)


def stop_forgotten(*, now: datetime) -> None:
    """Stop the clocks that ran as long as anybody works."""
    _stop_each(TimeEntry.objects.filter(started_at__lte=now - LONGEST), now=now)


def stop_clock_of(*, user_id: int, now: datetime) -> None:
    """Stop the clock of a person who goes, for whatever task it runs."""
    _stop_each(TimeEntry.objects.filter(person=user_id), now=now)


def count_time(task: Task) -> None:
    """Write down how long people worked on a task in all.

    The row of the task is held since before what changed that: of two who count, the second sees what the first wrote.
    """
    seconds = round(queries.time_spent(task.pk).total_seconds())
    if Task.objects.filter(pk=task.pk).exclude(spent_seconds=seconds).update(spent_seconds=seconds):
        # It is no new version, which others would have to merge with; who keeps a copy needs to know all the same.
        events.publish(TaskChanged(task.pk, "changed", NOBODY, quiet=True))


def _check(start: datetime, end: datetime | None, *, now: datetime, pointer: str = "/ended_at") -> None:
    if end is None:
        raise EndMissing("say when it ended; for work that goes on, start the clock", pointer="/ended_at")
    check(start, end, now=now, pointer=pointer)


def _stop_each(rows: QuerySet[TimeEntry], *, now: datetime) -> None:
    for task in Task.objects.filter(pk__in=rows.filter(ended_at=None).order_by().values("task")).order_by("pk"):
        with transaction.atomic():
            task.hold()
            _stop(task, rows, now=now)


def _stop(task: Task, rows: QuerySet[TimeEntry], *, now: datetime) -> list[TimeEntry]:
    """Stop those of ``rows`` that run for a task, whose row is held, and return them."""
    running = list(rows.filter(task=task, ended_at=None).order_by("pk"))
    for entry in running:
        entry.change(expected=None, now=now, ended_at=_end(entry.started_at, now))
    if running:
        count_time(task)
    return running


def _end(start: datetime, now: datetime) -> datetime:
    """The end of a clock: two machines may disagree by more than somebody worked, and a clock may be forgotten."""
    return min(max(now, start + timedelta(microseconds=1)), start + LONGEST)


def _held(entry: TimeEntry) -> TimeEntry:
    """Return an entry as it is now, its task held: of two who change it, the second sees what the first wrote."""
    entry.task.hold()
    found = TimeEntry.objects.filter(pk=entry.pk).first()
    if found is None:
        raise NotFound("it is gone")
    found.task = entry.task
    return found


def _require_own(entry: TimeEntry, by: Access) -> None:
    if entry.person_id != by.user_id:
        raise Forbidden("this is somebody else's time")


def _require_write(task: Task, by: Access) -> None:
    if not queries.may_write(by, task):
        raise Forbidden("you may read this task, but not change it")
