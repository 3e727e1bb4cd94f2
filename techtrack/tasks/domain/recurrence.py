"""When work comes again: an RFC 5545 rule on the clock of a place, with dates added (RDATE) and left out (EXDATE).

The clock on the wall is meant: 08:00 stays 08:00 when clocks change. A time that this clock leaves out is read with the
offset before the gap, one that it shows twice is the first (RFC 5545, 3.3.10 for rules refers to 3.3.5 for this).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from techtrack.accounts.domain.zones import check_zone
from techtrack.alerts.domain.rrule import HIGHEST_YEAR, LOWEST_YEAR, STEPS, BadRule, RRule
from techtrack.core.clock import MICROSECOND
from techtrack.core.errors import Fault, Invalid, member

LONGEST_RRULE = 500
MOST_COUNTED = 1000
MOST_DATES = 100
MOST_A_DAY = 24
FIELDS = {"rrule", "dtstart", "timezone", "rdate", "exdate"}
_DAY = timedelta(days=1)
# Looked through at first for what comes next, by frequency, and at most at once: a few occurrences, some hundreds.
_NEAR = {
    "HOURLY": timedelta(days=1),
    "DAILY": timedelta(days=8),
    "WEEKLY": timedelta(days=35),
    "MONTHLY": timedelta(days=70),
    "YEARLY": timedelta(days=400),
}
_FAR = 64
_DATE = re.compile(r"\d{4}-?\d{2}-?\d{2}", re.ASCII)
# A rule of these parts alone happens at even steps from its start.
_EVEN = {"FREQ", "INTERVAL", "WKST"}
# The days that a period has at most, for what BYSETPOS can count.
_DAYS = {"HOURLY": 1, "DAILY": 1, "WEEKLY": 7, "MONTHLY": 31, "YEARLY": 366}
_LONGEST = dict(enumerate((31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31), 1))
_NUMBER = re.compile(r"[+-]?\d{1,5}", re.ASCII)


class BadRecurrence(Invalid):
    """What surrounds the rule (its start, its dates) cannot be read, or nothing is left of it."""

    code = "bad_recurrence"


class Endless(BadRule):
    """The rule has neither COUNT nor UNTIL where one of them is needed."""

    code = "endless_rrule"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a rule may ask of those who keep it: how often a day at most, and whether it must say where it ends."""

    most_a_day: int
    needs_end: bool


# A person's recurring task has an end: nobody reviews it, it outlives the reason it was made for and the person's
# interest, and every client that keeps tasks would have to decide alone how far to expand it.
PERSONAL = Limits(MOST_A_DAY, needs_end=True)
# A plan has none: a machine is maintained until it is scrapped, which has no date. It is bounded otherwise: it
# belongs to an asset, can be paused, and has one unfinished task at a time.
PLANNED = Limits(MOST_A_DAY, needs_end=False)


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A rule that was checked. ``added`` and ``left_out`` are local times; what is due on ``days_out`` is left out too.

    ``count`` is the rule's COUNT; ``rule`` itself ends at the last of these occurrences instead, so that no question
    counts through all of them again.
    """

    rule: RRule
    zone: ZoneInfo
    count: int | None = None
    added: tuple[datetime, ...] = ()
    left_out: frozenset[datetime] = frozenset()
    days_out: frozenset[date] = frozenset()

    @classmethod
    def parse(cls, raw: Any, *, limits: Limits, pointer: str) -> Recurrence:
        """Build one of ``{"rrule", "dtstart", "timezone", "rdate"?, "exdate"?}``; times are local, or have an offset.

        A date in ``exdate`` leaves out all of that day.

        Raises:
            Invalid: with a fault that names the place.
        """
        _check_texts(raw, pointer)
        zone = raw["timezone"]
        start = _local(raw["dtstart"], zone, member(pointer, "dtstart"))
        ruled = cls.of(raw["rrule"], start=start, zone=zone, limits=limits, pointer=member(pointer, "rrule"))
        left_out = _dates(raw, "exdate", zone, pointer)
        made = replace(
            ruled,
            added=tuple(_dates(raw, "rdate", zone, pointer).values()),
            left_out=frozenset(left_out.values()),
            days_out=frozenset(at.date() for text, at in left_out.items() if _DATE.fullmatch(text)),
        )
        if made.next_after(made.begins - MICROSECOND) is None:
            raise BadRecurrence("all occurrences are left out", pointer=member(pointer, "exdate"))
        return made

    @classmethod
    def of(cls, rrule: str, *, start: datetime, zone: str, limits: Limits, pointer: str) -> Recurrence:
        """Build one of a rule, its local start (naive) and the name of a time zone; ``pointer`` is to the rule.

        Raises:
            BadRule: it is no rule, never happens, or asks for more than ``limits`` allow.
            Endless: it has no end and needs one.
            BadRecurrence: it starts out of all bounds.
            UnknownTimeZone: there is no such zone.
        """
        read = _read(rrule, start, zone, limits, pointer)
        if isinstance(read, Recurrence):
            return read
        raise read.family(read.detail, faults=read.faults)

    @property
    def begins(self) -> datetime:
        """The first moment at which it may happen."""
        return min(_moment(at, self.zone) for at in (self.rule.start, *self.added))

    @property
    def ends(self) -> datetime:
        """A moment after which it does not happen."""
        return max(_moment(at, self.zone) for at in (self.rule.until, *self.added)) + _DAY

    @property
    def interval(self) -> int:
        """How many periods of its frequency it advances at a time."""
        return int(dict(self.rule.parts).get("INTERVAL", "1"))

    @property
    def a_day(self) -> int:
        """How many times it happens on one day at most, added dates left out."""
        return _a_day(dict(self.rule.parts))

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first occurrence after ``moment`` (UTC), None where there is none."""
        near = _NEAR[self.rule.freq] * self.interval
        return next(self._walk(max(moment + MICROSECOND, self.begins), self.ends, near), None)

    def between(self, start: datetime, end: datetime, *, limit: int) -> list[datetime]:
        """Return the occurrences in [start, end) in order (UTC), the first ``limit`` of them."""
        return list(islice(self._walk(max(start, self.begins), end, _NEAR[self.rule.freq] * _FAR), limit))

    def _walk(self, low: datetime, end: datetime, stretch: timedelta) -> Iterator[datetime]:
        """Give what happens in [low, end), looking through longer and longer stretches."""
        longest = max(stretch, _NEAR[self.rule.freq] * _FAR)
        while low < end:
            high = low + min(stretch, end - low)
            yield from self._within(low, high)
            low, stretch = high, min(2 * stretch, longest)

    def _within(self, low: datetime, high: datetime) -> list[datetime]:
        """Return all that happens in [low, high); a stretch of clocks that jump is sorted, and told once."""
        first, last = (edge.astimezone(self.zone).replace(tzinfo=None) for edge in (low, high))
        local = self._on_the_wall(first - _DAY, last + _DAY)
        kept = [at for at in (*local, *self.added) if at not in self.left_out and at.date() not in self.days_out]
        found = {_moment(at, self.zone) for at in kept}
        return sorted(at for at in found if low <= at < high)

    def _on_the_wall(self, low: datetime, high: datetime) -> list[datetime]:
        """Return when the rule happens in [low, high); even steps are counted, five times as fast as they are found."""
        rule = self.rule
        if rule.freq not in STEPS or not {name for name, _ in rule.parts} <= _EVEN:
            return rule.between(low, high)
        step, last = STEPS[rule.freq] * self.interval, min(high, rule.until + MICROSECOND)
        first = rule.start + max(0, _steps(low - rule.start, step)) * step
        return [first + number * step for number in range(_steps(last - first, step))]


def _steps(span: timedelta, step: timedelta) -> int:
    """How many steps it takes to come so far or farther."""
    return -(-span // step)


def _moment(local: datetime, zone: ZoneInfo) -> datetime:
    # PEP 495's fold=0 is RFC 5545's rule: the offset before a gap, the first of two.
    return local.replace(tzinfo=zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class _Refused:
    """Why a rule is none. An exception that is kept would hold on to the frames that it went through."""

    family: type[Invalid]
    detail: str
    faults: tuple[Fault, ...]


# Some rules take a quarter of a second, one request may bring hundreds of them, and a series brings its own each time.
@lru_cache(maxsize=1024)
def _read(rrule: str, start: datetime, zone: str, limits: Limits, pointer: str) -> Recurrence | _Refused:
    try:
        return _checked(rrule, start=start, zone=zone, limits=limits, pointer=pointer)
    except Invalid as error:
        return _Refused(type(error), error.detail, error.faults)


def _checked(rrule: str, *, start: datetime, zone: str, limits: Limits, pointer: str) -> Recurrence:
    check_zone(zone, pointer=pointer)
    _check_year(start, pointer)
    if len(rrule) > LONGEST_RRULE:
        raise BadRule(f"a rule has {LONGEST_RRULE} characters at most", pointer=pointer)
    parts = dict(part.partition("=")[::2] for part in rrule.upper().removeprefix("RRULE:").split(";"))
    if wrong := _wrong(parts, limits):
        raise BadRule(wrong, pointer=pointer)
    rule = RRule.parse(rrule, start=start, zone=ZoneInfo(zone), pointer=pointer)
    if limits.needs_end and not {"COUNT", "UNTIL"} & set(parts):
        raise Endless("this rule never ends: add COUNT or UNTIL", pointer=pointer)
    return Recurrence(_counted_out(rule), ZoneInfo(zone), int(parts["COUNT"]) if "COUNT" in parts else None)


def _counted_out(rule: RRule) -> RRule:
    """Put the last occurrence in the place of a COUNT."""
    parts = dict(rule.parts)
    if "COUNT" not in parts:
        return rule
    del parts["COUNT"]
    last = rule.between(rule.start, datetime(HIGHEST_YEAR, 1, 1))[-1]  # noqa: DTZ001 - a wall clock's
    return RRule(tuple(parts.items()), rule.start, last)


# -- What is refused, of parts that are not checked one by one yet ----------------------------------------------


def _wrong(parts: dict[str, str], limits: Limits) -> str:
    """Say what is wrong with parts that may each be right; of a frequency that is not served the rule itself tells."""
    if parts.get("FREQ") not in _DAYS:
        return ""
    return _impossible(parts) or _misplaced(parts) or _too_much(parts, limits)


def _impossible(parts: dict[str, str]) -> str:
    """Name what a search would prove impossible only after hundreds of years; empty if there is no such thing."""
    most = _DAYS[parts["FREQ"]] * _times(parts)
    if min(map(abs, _numbers(parts, "BYSETPOS")), default=0) > most:
        return f"BYSETPOS counts to {most} here"
    months = _numbers(parts, "BYMONTH") & set(_LONGEST) or set(_LONGEST)
    longest = max(_LONGEST[month] for month in months)
    if min(map(abs, _numbers(parts, "BYMONTHDAY")), default=0) > longest:
        return f"there is no such day: the months have {longest} days at most"
    return ""


def _misplaced(parts: dict[str, str]) -> str:
    """Name parts that do not go together (RFC 5545, 3.3.10, the table and the text before it); empty if all do."""
    freq, there = parts["FREQ"], {name for name in parts if name.startswith("BY")}
    if there == {"BYSETPOS"}:
        return "BYSETPOS needs another BY part to choose from"
    if "BYMONTHDAY" in there and freq == "WEEKLY":
        return "BYMONTHDAY does not go with FREQ=WEEKLY"
    # The standard allows it for HOURLY as well; but nobody plans so, and a search tries every hour of the years.
    if "BYYEARDAY" in there and freq != "YEARLY":
        return f"BYYEARDAY does not go with FREQ={freq}"
    # Without a day libraries differ: all seven, or the weekday of the start.
    if "BYWEEKNO" in there and (freq != "YEARLY" or "BYDAY" not in there):
        return "BYWEEKNO needs FREQ=YEARLY and BYDAY"
    if "BYWEEKNO" in there and any(len(day) > len("MO") for day in parts["BYDAY"].split(",")):
        return "a numbered BYDAY does not go with BYWEEKNO"
    return ""


def _too_much(parts: dict[str, str], limits: Limits) -> str:
    if _a_day(parts) > limits.most_a_day:
        return f"it happens more than {limits.most_a_day} times a day"
    if max(_numbers(parts, "COUNT"), default=0) > MOST_COUNTED:
        return f"COUNT is {MOST_COUNTED} at most"
    return ""


def _a_day(parts: dict[str, str]) -> int:
    if parts["FREQ"] != "HOURLY":
        return _times(parts)
    step = max({1} | _numbers(parts, "INTERVAL"))
    return _times(parts) * (len(_numbers(parts, "BYHOUR")) or -(-24 // step))


def _times(parts: dict[str, str]) -> int:
    """Count the times of a day that are named, of an hour where the rule is hourly."""
    hours = 1 if parts["FREQ"] == "HOURLY" else len(_numbers(parts, "BYHOUR")) or 1
    return hours * (len(_numbers(parts, "BYMINUTE")) or 1)


def _numbers(parts: dict[str, str], name: str) -> set[int]:
    return {int(text) for text in parts.get(name, "").split(",") if _NUMBER.fullmatch(text)}


# -- What surrounds a rule ------------------------------------------------------------------------------------


def _check_texts(raw: Any, pointer: str) -> None:
    if not isinstance(raw, dict):
        raise BadRecurrence("an object is expected", pointer=pointer)
    for name in sorted(set(raw) - FIELDS, key=str):
        raise BadRecurrence("this field is not known here", pointer=member(pointer, name))
    for name in ("timezone", "dtstart", "rrule"):
        if not isinstance(raw.get(name), str):
            raise BadRecurrence("a text is expected", pointer=member(pointer, name))
    check_zone(raw["timezone"], pointer=member(pointer, "timezone"))


def _dates(raw: dict[str, Any], name: str, zone: str, pointer: str) -> dict[str, datetime]:
    """Read the local times of ``raw[name]``, by their texts."""
    texts, place = raw.get(name, []), member(pointer, name)
    if not isinstance(texts, list) or len(texts) > MOST_DATES:
        raise BadRecurrence(f"a list of {MOST_DATES} times at most is expected", pointer=place)
    return {str(text): _local(text, zone, member(place, index)) for index, text in enumerate(texts)}


def _local(text: Any, zone: str, pointer: str) -> datetime:
    """Read a local time; one with an offset is put on the clock of the zone."""
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None) if moment.tzinfo else moment
    except (TypeError, ValueError, OverflowError) as error:
        raise BadRecurrence("a local time such as 2026-11-02T06:00:00 is expected", pointer=pointer) from error
    _check_year(moment, pointer)
    return moment.replace(microsecond=0)


def _check_year(moment: datetime, pointer: str) -> None:
    if not LOWEST_YEAR < moment.year < HIGHEST_YEAR - 1:
        raise BadRecurrence(f"a year from {LOWEST_YEAR + 1} to {HIGHEST_YEAR - 2} is expected", pointer=pointer)
