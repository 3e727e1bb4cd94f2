"""Decides who is on call: people take turns, handed over at one time of the day, and stand in for one another."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class StandIn:
    """Somebody takes over from ``start`` until ``end``."""

    start: datetime
    end: datetime
    person: int


@dataclass(frozen=True, slots=True)
class Turns:
    """``people`` take turns of ``days`` days from ``starts_at`` on; of overlapping stand-ins the last one counts."""

    people: Sequence[int]
    days: int
    starts_at: datetime
    zone: ZoneInfo
    stand_ins: Sequence[StandIn] = ()


@dataclass(frozen=True, slots=True)
class Duty:
    """Who is on call, None for nobody, and when next somebody else may be."""

    person: int | None
    until: datetime | None


def on_call(turns: Turns, at: datetime, *, gone: Collection[int] = ()) -> Duty:
    """Return who is on call. Whoever is ``gone`` is passed over: the next in the turn is called."""
    return Duty(_person(turns, at, gone), _until(turns, at))


def _person(turns: Turns, at: datetime, gone: Collection[int]) -> int | None:
    standing_in = [one.person for one in turns.stand_ins if one.start <= at < one.end and one.person not in gone]
    if standing_in:
        return standing_in[-1]
    number = _turn(turns, at)
    if number is None:
        return None
    count = len(turns.people)
    order = (turns.people[(number + step) % count] for step in range(count))
    return next((person for person in order if person not in gone), None)


def _turn(turns: Turns, at: datetime) -> int | None:
    """Return the number of the turn, from 0; None before the first."""
    if not turns.people or at < turns.starts_at:
        return None
    # Near enough to correct by counting: days of 23 or 25 hours shift it by one at most.
    number = (at - turns.starts_at) // (turns.days * DAY)
    while _handover(turns, number + 1) <= at:
        number += 1
    while _handover(turns, number) > at:
        number -= 1
    return number


def _handover(turns: Turns, number: int) -> datetime:
    """Return when a turn begins: always at the same time on the clock, in summer and in winter."""
    local = turns.starts_at.astimezone(turns.zone).replace(tzinfo=None) + number * turns.days * DAY
    return turns.starts_at if number == 0 else local.replace(tzinfo=turns.zone).astimezone(UTC)


def _until(turns: Turns, at: datetime) -> datetime | None:
    number = _turn(turns, at)
    changes = [moment for one in turns.stand_ins for moment in (one.start, one.end)]
    if number is not None:
        changes.append(_handover(turns, number + 1))
    elif turns.people:
        changes.append(turns.starts_at)
    return min((moment for moment in changes if moment > at), default=None)
