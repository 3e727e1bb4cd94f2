"""How long people worked on a task: the time of each counts once, however often it was written down."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from techtrack.core.errors import Invalid

# Who works longer than this without a pause has forgotten to stop the clock.
LONGEST = timedelta(hours=24)


class TimeBackwards(Invalid):
    """The end is not after the start."""

    code = "time_backwards"


class TimeToCome(Invalid):
    """Nobody has worked yet at a time that is to come."""

    code = "time_to_come"


class TooLong(Invalid):
    """Nobody works that long without a pause."""

    code = "too_long"


@dataclass(frozen=True, slots=True)
class Stretch:
    """From when to when somebody worked; ``person`` None where that is not known any more."""

    person: Hashable
    start: datetime
    end: datetime


def check(start: datetime, end: datetime, *, now: datetime, pointer: str = "/ended_at") -> None:
    """Pass where a person may say that work was done from ``start`` to ``end``; ``pointer``: to what was said of them.

    Raises:
        TimeBackwards, TimeToCome, TooLong: see there.
    """
    if end <= start:
        raise TimeBackwards("the end must be after the start", pointer=pointer)
    if end > now:
        raise TimeToCome("this time is yet to come", pointer="/ended_at" if start <= now else "/started_at")
    if end - start > LONGEST:
        raise TooLong(f"{LONGEST // timedelta(hours=1)} hours at most; say it in several entries", pointer=pointer)


def spent(stretches: Iterable[Stretch]) -> timedelta:
    """Add up the time of all people; where stretches of one person overlap, that time counts once."""
    by_person: dict[Hashable, list[Stretch]] = defaultdict(list)
    for one in stretches:
        by_person[one.person].append(one)
    return sum((_of_one(some) for some in by_person.values()), timedelta(0))


def _of_one(stretches: Iterable[Stretch]) -> timedelta:
    total, reached = timedelta(0), None
    for one in sorted(stretches, key=lambda stretch: stretch.start):
        start = one.start if reached is None else max(one.start, reached)
        if one.end > start:
            total += one.end - start
            reached = one.end
    return total
