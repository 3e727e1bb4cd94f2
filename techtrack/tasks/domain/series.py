"""Tasks that come again: what their rule and its terms say, and when the next one is due."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from techtrack.accounts.domain.zones import check_zone
from techtrack.core.clock import MICROSECOND
from techtrack.core.errors import Invalid
from techtrack.tasks.domain.recurrence import PERSONAL
from techtrack.tasks.domain.schedule import History, Schedule, Terms

RULE, TERMS = "/recurrence", "/recurrence_terms"


@dataclass(frozen=True, slots=True)
class Turn:
    """The next task of a series; ``start`` where the one before had one."""

    start: datetime | None
    due: datetime


def completed(terms: Mapping[str, Any], *, start: datetime, zone: str) -> dict[str, Any]:
    """Return terms that say a time zone and a start: those given, or ``start`` on the clock of ``zone``."""
    zone = terms.get("timezone", zone)
    if not isinstance(zone, str):
        raise Invalid("the name of a time zone is expected", pointer=f"{TERMS}/timezone")
    check_zone(zone, pointer=f"{TERMS}/timezone")
    local = start.astimezone(ZoneInfo(zone)).replace(tzinfo=None, microsecond=0)
    return {"timezone": zone, "dtstart": local.isoformat(), **terms}


def schedule(rule: str, terms: Mapping[str, Any]) -> Schedule:
    """Read a rule and its completed terms.

    Raises:
        Invalid: with a fault that names the place in a task.
    """
    try:
        return Schedule.parse({**terms, "rrule": rule}, limits=PERSONAL, pointer="")
    except Invalid as error:
        faults = [replace(fault, pointer=_place(fault.pointer)) for fault in error.faults]
        raise type(error)(error.detail, faults=faults) from error


def first_due(made: Schedule) -> datetime | None:
    """Return when the first task of a series is due."""
    return made.recurrence.next_after(made.recurrence.begins - MICROSECOND)


def next_turn(
    made: Schedule, history: History, *, start: datetime | None, due: datetime | None, now: datetime
) -> Turn | None:
    """Return the task behind one that was to begin at ``start`` and due at ``due``; None where the series has ended."""
    turn = made.turn(history, terms=Terms(), now=now)
    if turn is None:
        return None
    before = timedelta(0) if start is None else (due or history.settled) - start
    return Turn(None if start is None else turn.due - max(before, timedelta(0)), turn.due)


def _place(pointer: str) -> str:
    return RULE if pointer in {"", "/rrule"} else f"{TERMS}{pointer}"
