"""When people are reminded of a task: at a moment, or so long before it is due."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from techtrack.core.clock import iso_duration, isoformat, read_duration
from techtrack.core.errors import Invalid, member

MOST_REMINDERS = 20
LONGEST_BEFORE = timedelta(days=366)
# Years that every database and every time zone can hold.
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Reminder:
    """One wish: ``at`` a moment, or so long ``before`` the task is due; the other one is None."""

    at: datetime | None = None
    before: timedelta | None = None

    def moment(self, due: datetime | None) -> datetime | None:
        """Return when it is to fire; None while the task that it counts back from has no due date."""
        if self.before is None:
            return self.at
        return None if due is None else due - self.before


@dataclass(frozen=True, slots=True)
class Armed:
    """A reminder with its moment (None: it waits for a due date); ``spent``: it fired, or was set too late to."""

    reminder: Reminder
    moment: datetime | None
    spent: bool = False


def parse_reminders(raw: Any, *, pointer: str = "/reminders") -> tuple[Reminder, ...]:
    """Build reminders from ``[{"at": "2026-11-21T10:00:00Z"}, {"before": "PT1H"}]``.

    Raises:
        Invalid: with a pointer to the member of the reminder.
    """
    if not isinstance(raw, list) or len(raw) > MOST_REMINDERS:
        raise Invalid(f"a list of at most {MOST_REMINDERS} reminders is expected", pointer=pointer)
    reminders = tuple(_reminder(one, member(pointer, place)) for place, one in enumerate(raw))
    for place, reminder in enumerate(reminders):
        if reminder in reminders[:place]:
            raise Invalid("this reminder is there twice", pointer=f"{pointer}/{place}")
    return reminders


def dump_reminders(reminders: Iterable[Reminder]) -> list[dict[str, str]]:
    """Return the JSON form of reminders: the inverse of ``parse_reminders``."""
    return [_dumped(reminder) for reminder in reminders]


def arm(
    reminders: Iterable[Reminder], *, due: datetime | None, now: datetime, before: Iterable[Armed] = ()
) -> tuple[Armed, ...]:
    """Set reminders for a task that is due at ``due``, which had those of ``before``.

    One whose moment stays stays as it is, fired or not. One that is new, or whose moment has moved with the due date,
    fires at its moment if that is to come; if it has passed, nobody is reminded of it: who moved it is looking at it.
    """
    known = {(one.reminder, one.moment): one for one in before}
    found = [(reminder, reminder.moment(due)) for reminder in reminders]
    return tuple(
        known.get((reminder, moment)) or Armed(reminder, moment, spent=moment is not None and moment <= now)
        for reminder, moment in found
    )


def _reminder(raw: Any, pointer: str) -> Reminder:
    if not isinstance(raw, Mapping) or set(raw) not in ({"at"}, {"before"}):
        raise Invalid("a reminder has either at or before", pointer=pointer)
    if "at" in raw:
        return Reminder(at=_moment(raw["at"], f"{pointer}/at"))
    before = read_duration(raw["before"]) if isinstance(raw["before"], str) else None
    if before is None:
        raise Invalid("a duration such as PT1H is expected, not negative", pointer=f"{pointer}/before")
    if before > LONGEST_BEFORE:
        raise Invalid(f"{iso_duration(LONGEST_BEFORE)} at most", pointer=f"{pointer}/before")
    return Reminder(before=before)


def _moment(raw: Any, pointer: str) -> datetime:
    try:
        moment = datetime.fromisoformat(raw) if isinstance(raw, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not EARLIEST <= moment < LATEST:
        raise Invalid("a time such as 2026-11-21T10:00:00Z is expected, from 2000 to 2099", pointer=pointer)
    return moment.astimezone(UTC)


def _dumped(reminder: Reminder) -> dict[str, str]:
    if reminder.at is not None:
        return {"at": isoformat(reminder.at)}
    return {"before": iso_duration(reminder.before or timedelta(0))}
