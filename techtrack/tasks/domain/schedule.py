"""Decides when work that comes by the calendar is due next, and what becomes of dates that were missed."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice, takewhile
from typing import Any, TypeVar

from techtrack.core.clock import MICROSECOND
from techtrack.core.errors import Invalid, member
from techtrack.tasks.domain.recurrence import Limits, Recurrence
from techtrack.tasks.domain.season import Season

_Kind = TypeVar("_Kind", bound=StrEnum)
_OWN = {"anchor", "catch_up"}
# What is counted from its completion says how far, and nothing of the calendar.
_PLAIN = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST"}
# A look that comes later than this has missed its date, where missed dates are skipped: servers are away for hours.
LATE = timedelta(days=1)
# How far back missed dates are looked for where they come once a day; so there are never more than 2,000 or so.
_BACKLOG = timedelta(days=2000)
# Looked through at once, for a calendar of hours over years.
_MOST = 10_000
# Rules repeat within some years: one whose dates miss the season as often as this never meets it.
_MOST_SEASONS = 40

# Of what is later no task can say when it is due.
LATEST = datetime(2100, 1, 1, tzinfo=UTC)


class BadSchedule(Invalid):
    """A schedule that cannot be kept."""

    code = "bad_schedule"


class Anchor(StrEnum):
    """From where the next date is counted."""

    SCHEDULED = "scheduled"
    COMPLETED = "completed"


class CatchUp(StrEnum):
    """What becomes of missed dates: nothing, one task each (the oldest first, one after the other), or one for all."""

    SKIP = "skip"
    ALL = "all"
    ONE = "one"


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for all that a plan asks: tasks open ``lead`` before they are due, and are due in the season only."""

    lead: timedelta = timedelta(0)
    season: Season | None = None

    def in_season(self, moment: datetime) -> bool:
        """Tell whether work may be due then."""
        return self.season is None or self.season.includes(moment)

    def brought_in(self, moment: datetime) -> datetime:
        """Return ``moment``, or when the next season has come."""
        return moment if self.season is None else self.season.brought_in(moment)


@dataclass(frozen=True, slots=True)
class History:
    """What became of a schedule so far.

    ``settled``: dates up to then are dealt with; the due date of the last task that the calendar brought, before the
    first one when the schedule was made. ``closed``: when the last task was done or called off. ``made``: how many
    tasks there were.
    """

    settled: datetime
    closed: datetime | None = None
    made: int = 0


@dataclass(frozen=True, slots=True)
class Turn:
    """The next task: due when, opened when; ``missed`` dates before it bring no task any more."""

    due: datetime
    opens: datetime
    missed: int = 0


@dataclass(frozen=True, slots=True)
class Schedule:
    """A recurrence, from where it is counted, and what becomes of missed dates.

    Counted from completions no date can be missed: the next one is not known before the last task is closed.
    """

    recurrence: Recurrence
    anchor: Anchor = Anchor.SCHEDULED
    catch_up: CatchUp = CatchUp.ONE

    @classmethod
    def parse(cls, raw: Any, *, limits: Limits, pointer: str) -> Schedule:
        """Build one of what ``Recurrence.parse`` takes and ``{"anchor"?, "catch_up"?}``.

        Raises:
            Invalid: with a fault that names the place.
        """
        if not isinstance(raw, dict):
            raise BadSchedule("an object is expected", pointer=pointer)
        ruled = {name: value for name, value in raw.items() if name not in _OWN}
        recurrence = Recurrence.parse(ruled, limits=limits, pointer=pointer)
        anchor = _choice(Anchor, raw.get("anchor", Anchor.SCHEDULED), member(pointer, "anchor"))
        catch_up = _choice(CatchUp, raw.get("catch_up", CatchUp.ONE), member(pointer, "catch_up"))
        if anchor is Anchor.COMPLETED:
            _check_floating(raw, pointer)
        return cls(recurrence, anchor, catch_up)

    def turn(self, history: History, *, terms: Terms, now: datetime) -> Turn | None:
        """Return the next task, which may be to open already; None where the schedule has come to its end.

        Call it where no task of it is unfinished; dates that pass meanwhile are that task's, unless each must be made.
        """
        if self.anchor is Anchor.COMPLETED:
            due = next(self._floating(history, terms), None)
            return None if due is None else Turn(due, due - terms.lead)
        low = self._unsettled(history)
        opened = self._opened(low, terms, now)
        chosen = self._chosen(opened, now)
        if chosen is not None:
            missed = 0 if self.catch_up is CatchUp.ALL else opened.index(chosen)
            return Turn(chosen, chosen - terms.lead, missed)
        due = self._first(max(low, now + terms.lead + MICROSECOND), terms)
        return None if due is None else Turn(due, due - terms.lead, len(opened))

    def upcoming(self, history: History, *, terms: Terms, end: datetime, limit: int) -> list[datetime]:
        """Return the dates after what is settled and before ``end``, the first ``limit`` of them.

        Counted from completions, as if each task were done when it is due.
        """
        if self.anchor is Anchor.COMPLETED:
            return list(islice(takewhile(lambda due: due < end, self._floating(history, terms)), limit))
        return self._between(self._unsettled(history), end, terms, limit=limit)

    def meets(self, terms: Terms) -> bool:
        """Tell whether any of its dates lies in the season; what is counted from completions is brought there."""
        return self.anchor is Anchor.COMPLETED or self._first(self.recurrence.begins, terms) is not None

    # -- Counted from the calendar ------------------------------------------------------------------------------

    def _unsettled(self, history: History) -> datetime:
        if history.closed is None or self.catch_up is CatchUp.ALL:
            return history.settled + MICROSECOND
        return max(history.settled, history.closed) + MICROSECOND

    def _opened(self, low: datetime, terms: Terms, now: datetime) -> list[datetime]:
        """Return the dates whose tasks should be open."""
        earliest = now - _BACKLOG / self.recurrence.a_day
        return self._between(max(low, earliest), now + terms.lead + MICROSECOND, terms)

    def _between(self, low: datetime, high: datetime, terms: Terms, *, limit: int = _MOST) -> list[datetime]:
        # How many of them lie in a season nobody can tell.
        found = self.recurrence.between(low, high, limit=limit if terms.season is None else _MOST)
        return [due for due in found if terms.in_season(due)][:limit]

    def _chosen(self, opened: list[datetime], now: datetime) -> datetime | None:
        """Return the date that gets the task, None where it is none of these."""
        past = [due for due in opened if due <= now]
        ahead = opened[len(past) :]
        if self.catch_up is CatchUp.ALL:
            return opened[0] if opened else None
        stale = self.catch_up is CatchUp.SKIP and bool(past) and (bool(ahead) or now - past[-1] > LATE)
        if past and not stale:
            return past[-1]
        return ahead[0] if ahead else None

    def _first(self, low: datetime, terms: Terms) -> datetime | None:
        """Return the first date from ``low`` on that lies in the season."""
        due = self.recurrence.next_after(low - MICROSECOND)
        for _ in range(_MOST_SEASONS):
            if due is None or terms.season is None or terms.season.includes(due):
                break
            due = self.recurrence.next_after(terms.season.next_opening(due) - MICROSECOND)
        else:
            return None
        return due

    # -- Counted from completions ---------------------------------------------------------------------------------

    def _floating(self, history: History, terms: Terms) -> Iterator[datetime]:
        """Give the next date, and those after it as if each task were done when it is due."""
        due = self.recurrence.begins if history.closed is None else self._counted_from(history.closed)
        made = history.made
        while self._lasts(due, made):
            due = terms.brought_in(due)
            yield due
            due = self._counted_from(due)
            made += 1

    def _lasts(self, due: datetime, made: int) -> bool:
        count, until = self.recurrence.count, self.recurrence.rule.until
        if due >= LATEST:
            return False
        if count is not None:
            return made < count
        return due.astimezone(self.recurrence.zone).replace(tzinfo=None) <= until

    def _counted_from(self, closed: datetime) -> datetime:
        """Return when it is due again: so many periods later, at the time of day at which the rule starts.

        A month after the 31st is the last day of the next month: what waits for a 31st would wait for two.
        """
        freq, interval = self.recurrence.rule.freq, self.recurrence.interval
        if freq == "HOURLY":
            return closed + timedelta(hours=interval)
        start, local = self.recurrence.rule.start, closed.astimezone(self.recurrence.zone)
        at = local.replace(hour=start.hour, minute=start.minute, second=start.second, microsecond=0, fold=0)
        days = {"DAILY": 1, "WEEKLY": 7}.get(freq)
        if days is None:
            return _months_later(at, interval * (12 if freq == "YEARLY" else 1)).astimezone(UTC)
        return (at + timedelta(days=days * interval)).astimezone(UTC)


def _months_later(at: datetime, months: int) -> datetime:
    year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
    return at.replace(year=year, month=month + 1, day=min(at.day, monthrange(year, month + 1)[1]))


def _choice(kind: type[_Kind], raw: Any, pointer: str) -> _Kind:
    try:
        return kind(raw)
    except ValueError as error:
        raise BadSchedule(f"choose one of {', '.join(kind)}", pointer=pointer) from error


def _check_floating(raw: dict[str, Any], pointer: str) -> None:
    named = {part.partition("=")[0] for part in raw["rrule"].upper().removeprefix("RRULE:").split(";")}
    if more := sorted(named - _PLAIN):
        wrong = f"counted from its completion a rule says FREQ, INTERVAL and an end, not {more[0]}"
        raise BadSchedule(wrong, pointer=member(pointer, "rrule"))
    for name in ("rdate", "exdate", "catch_up"):
        if raw.get(name):
            wrong = "this has no meaning where the next date is counted from the completion"
            raise BadSchedule(wrong, pointer=member(pointer, name))
