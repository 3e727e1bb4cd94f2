"""Decides when a plan brings its next task: by the calendar, by a meter, by a condition, whichever comes first.

A plan has one unfinished task at a time. A person's recurring task is a plan with a calendar and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from techtrack.accounts.domain.zones import check_zone
from techtrack.core import params
from techtrack.core.clock import read_duration
from techtrack.core.errors import Invalid, member
from techtrack.tasks.domain.meters import Meter
from techtrack.tasks.domain.projection import Pace, Projection, projected
from techtrack.tasks.domain.reasons import Reason
from techtrack.tasks.domain.recurrence import Limits
from techtrack.tasks.domain.schedule import History, Schedule, Terms
from techtrack.tasks.domain.season import Season

FIELDS = {"timezone", "schedule", "meters", "conditions", "lead_time", "season"}
MOST_TRIGGERS = 10
LONGEST_LEAD = timedelta(days=366)
# SMRP's guideline for PM and PdM compliance: done up to a fifth of the interval late, but 28 days at most.
_GRACE_SHARE, _LONGEST_GRACE = 5, timedelta(days=28)


class BadPlan(Invalid):
    """A plan that cannot be kept."""

    code = "bad_plan"


class Kind(StrEnum):
    """What asks for a task."""

    CALENDAR = "calendar"
    METER = "meter"
    CONDITION = "condition"


@dataclass(frozen=True, slots=True)
class ByMeter:
    """A task is due each time that ``meter`` has counted ``every`` units since the last one was closed."""

    meter: Meter
    every: float


@dataclass(frozen=True, slots=True)
class ByCondition:
    """A task is due when the rule with this id raises an alert."""

    rule: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What asks for tasks, and the terms that hold for all of it."""

    schedule: Schedule | None = None
    meters: tuple[ByMeter, ...] = ()
    conditions: tuple[ByCondition, ...] = ()
    terms: Terms = field(default_factory=Terms)

    @classmethod
    def parse(cls, raw: Any, *, limits: Limits, pointer: str = "") -> Plan:
        """Build one of ``{"timezone", "schedule"?, "meters"?, "conditions"?, "lead_time"?, "season"?}``.

        ``schedule`` is as ``Schedule.parse`` takes it, without a time zone; ``meters`` are ``{"meter", "every"}``;
        ``conditions`` are ``{"rule"}``; ``lead_time`` is an ISO 8601 duration, ``season`` as ``Season.parse`` takes it.

        Raises:
            Invalid: with a fault that names the place.
        """
        _check_fields(raw, pointer)
        terms = _terms(raw, pointer)
        schedule = _schedule(raw, limits, pointer)
        meters = tuple(_by_meter(one, place) for one, place in _listed(raw, "meters", pointer))
        conditions = tuple(_by_condition(one, place) for one, place in _listed(raw, "conditions", pointer))
        if not (schedule or meters or conditions):
            raise BadPlan("a plan needs a schedule, a meter or a condition", pointer=pointer)
        if schedule and not schedule.meets(terms):
            raise BadPlan("no date of the schedule lies in the season", pointer=member(pointer, "season"))
        return cls(schedule, meters, conditions, terms)


@dataclass(frozen=True, slots=True)
class Use:
    """What a meter has counted since the last task was closed (None: it has no readings), and its pace."""

    since: float | None
    pace: Pace


@dataclass(frozen=True, slots=True)
class Facts:
    """What a decision is made of.

    ``unfinished``: a task of the plan is open. ``raised``: when rules, by id, raised the alerts that are there.
    """

    history: History
    unfinished: bool = False
    uses: Mapping[Meter, Use] = field(default_factory=dict)
    raised: Mapping[int, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What one trigger asks for: a task due when, opened when; None where nobody can say, and why, in a sentence.

    ``place`` counts the triggers of its kind. ``missed``: earlier dates that bring no task any more.
    """

    kind: Kind
    place: int
    due: datetime | None
    opens: datetime | None
    reason: Reason
    detail: str
    missed: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """``task`` is to be opened now; ``next`` is what comes first, as far as anybody can say; ``outlooks`` are all."""

    task: Outlook | None
    next: Outlook | None
    outlooks: tuple[Outlook, ...]


def decide(plan: Plan, *, facts: Facts, now: datetime) -> Decision:
    """Decide whether the plan's next task is to be opened now, and when it is due.

    While a task is unfinished none is opened; all else is told as it would be were that one done now.
    """
    outlooks = tuple(_outlooks(plan, _as_if_done(facts, now) if facts.unfinished else facts, now))
    told = [one for one in outlooks if one.due is not None]
    opened = [one for one in told if one.opens is not None and one.opens <= now and not facts.unfinished]
    return Decision(min(opened, key=_due, default=None), min(told, key=_due, default=None), outlooks)


def usual_grace(interval: timedelta) -> timedelta:
    """Return how late work may be done and still count as in time, by how often it comes (SMRP)."""
    return min(interval / _GRACE_SHARE, _LONGEST_GRACE)


def _as_if_done(facts: Facts, now: datetime) -> Facts:
    uses = {meter: replace(use, since=None if use.since is None else 0.0) for meter, use in facts.uses.items()}
    return replace(facts, history=replace(facts.history, closed=now), uses=uses)


def _due(one: Outlook) -> datetime:
    if one.due is None:
        raise ValueError("it has no date")
    return one.due


# -- What each trigger asks for -----------------------------------------------------------------------------


def _outlooks(plan: Plan, facts: Facts, now: datetime) -> Iterator[Outlook]:
    if plan.schedule is not None:
        yield _by_calendar(plan.schedule, facts.history, plan.terms, now)
    for place, meter in enumerate(plan.meters):
        yield _counted(place, meter, facts.uses.get(meter.meter), plan.terms, now)
    for place, condition in enumerate(plan.conditions):
        yield _seen(place, facts.raised.get(condition.rule), facts.history.closed, plan.terms)


def _by_calendar(schedule: Schedule, history: History, terms: Terms, now: datetime) -> Outlook:
    turn = schedule.turn(history, terms=terms, now=now)
    if turn is None:
        return Outlook(Kind.CALENDAR, 0, None, None, Reason.ENDED, "The schedule has come to its end.")
    detail = "It is due by the calendar."
    if turn.missed:
        detail = f"It is due by the calendar; {turn.missed} earlier dates were missed and bring no task."
    return Outlook(Kind.CALENDAR, 0, turn.due, turn.opens, Reason.SCHEDULED, detail, turn.missed)


def _counted(place: int, trigger: ByMeter, use: Use | None, terms: Terms, now: datetime) -> Outlook:
    if use is None or use.since is None:
        return Outlook(Kind.METER, place, None, None, Reason.NO_READINGS, "The meter has no readings.")
    so_far = f"{_number(use.since)} of {_number(trigger.every)} counted"
    reached = use.since >= trigger.every
    found = Projection(now, Reason.PROJECTED)
    if not reached:
        found = projected(trigger.every - use.since, at=use.pace, now=now)
    reason = Reason.REACHED if reached else found.reason
    if found.due is None:
        return Outlook(Kind.METER, place, None, None, reason, f"{so_far}; {_WHY_NOT[reason]}.")
    due = terms.brought_in(found.due)
    told = so_far if reached else f"{so_far}, {_number(use.pace.per_day or 0)} a day"
    waits = "" if due == found.due else "; it waits for the season"
    return Outlook(Kind.METER, place, due, due - terms.lead, reason, f"{told}{waits}.")


_WHY_NOT = {
    Reason.TOO_LITTLE_HISTORY: "too few days are known to say when",
    Reason.NOT_USED: "the asset was not used in the last weeks",
    Reason.TOO_FAR: "at this pace it takes more than ten years",
}


def _seen(place: int, raised: datetime | None, closed: datetime | None, terms: Terms) -> Outlook:
    """What was raised before the last task was closed was that task's; a season does not keep an alert waiting."""
    if raised is None or (closed is not None and raised <= closed):
        return Outlook(Kind.CONDITION, place, None, None, Reason.NOT_RAISED, "No alert of the rule asks for it.")
    # It comes without notice, so that people get the same time for it as for other work.
    due = raised + terms.lead
    return Outlook(Kind.CONDITION, place, due, raised, Reason.RAISED, "An alert of the rule asks for it.")


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


# -- Reading a plan -----------------------------------------------------------------------------------------


def _check_fields(raw: Any, pointer: str) -> None:
    if not isinstance(raw, dict):
        raise BadPlan("an object is expected", pointer=pointer)
    for name in sorted(set(raw) - FIELDS, key=str):
        raise BadPlan("this field is not known here", pointer=member(pointer, name))
    if not isinstance(raw.get("timezone"), str):
        raise BadPlan("a text is expected", pointer=member(pointer, "timezone"))
    check_zone(raw["timezone"], pointer=member(pointer, "timezone"))


def _terms(raw: dict[str, Any], pointer: str) -> Terms:
    text = raw.get("lead_time", "PT0S")
    lead = read_duration(text) if isinstance(text, str) else None
    if lead is None or lead > LONGEST_LEAD:
        raise BadPlan("an ISO 8601 duration up to P366D is expected", pointer=member(pointer, "lead_time"))
    season = None
    if raw.get("season") is not None:
        season = Season.parse(raw["season"], zone=ZoneInfo(raw["timezone"]), pointer=member(pointer, "season"))
    return Terms(lead, season)


def _schedule(raw: dict[str, Any], limits: Limits, pointer: str) -> Schedule | None:
    given, place = raw.get("schedule"), member(pointer, "schedule")
    if given is None:
        return None
    if not isinstance(given, dict) or "timezone" in given:
        raise BadPlan("an object without a time zone is expected: the plan has one", pointer=place)
    return Schedule.parse(given | {"timezone": raw["timezone"]}, limits=limits, pointer=place)


def _listed(raw: dict[str, Any], name: str, pointer: str) -> list[tuple[Any, str]]:
    given, place = raw.get(name), member(pointer, name)
    items = [] if given is None else given
    if not isinstance(items, list) or len(items) > MOST_TRIGGERS:
        raise BadPlan(f"a list of {MOST_TRIGGERS} at most is expected", pointer=place)
    return [(item, member(place, index)) for index, item in enumerate(items)]


def _by_meter(raw: Any, pointer: str) -> ByMeter:
    every = params.build(ByMeter, raw, pointer=pointer).every
    if every <= 0:
        raise BadPlan("more than nothing is expected", pointer=member(pointer, "every"))
    return ByMeter(Meter.parse(raw["meter"], pointer=member(pointer, "meter")), every)


def _by_condition(raw: Any, pointer: str) -> ByCondition:
    built = params.build(ByCondition, raw, pointer=pointer)
    if built.rule < 1:
        raise BadPlan("the id of a rule is expected", pointer=member(pointer, "rule"))
    return built
