"""Time windows that come again: an RFC 5545 rule on the clock of a place, with a length.

The clock on the wall is meant: eight hours from 22:00 last until 06:00, also in the night in which clocks change.
A window begins when that clock has come to its beginning (which may be left out: then right after the hour that is),
and ends when it has come to its end; an hour that comes twice opens no window twice.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from techtrack.accounts.domain.zones import check_zone
from techtrack.alerts.domain.rrule import HORIZONS, LOWEST_YEAR, YEAR, RRule
from techtrack.core.clock import MICROSECOND, from_micros, read_duration, to_micros
from techtrack.core.errors import Invalid, member

LONGEST = YEAR
# Looked through at once, by frequency: so that a question makes a hundred occurrences or so.
STRETCHES = {
    "HOURLY": timedelta(days=7),
    "DAILY": timedelta(days=60),
    "WEEKLY": YEAR,
    "MONTHLY": 3 * YEAR,
    "YEARLY": 12 * YEAR,
}
# No zone is farther from UTC, nor changes its clock by more.
FARTHEST = timedelta(days=2)
# A Monday's midnight: where a schedule that names no start is counted from.
FIRST = datetime(2000, 1, 3)  # noqa: DTZ001 - a wall clock's
LONGEST_RRULE = 500
_DAY = timedelta(days=1) // MICROSECOND
FIELDS = {"timezone", "rrule", "dtstart", "duration"}


class BadWindow(Invalid):
    """A time window that cannot be one."""

    code = "bad_window"


class _Stretch(NamedTuple):
    """What is known of [low, high): the merged windows that touch it, in µs; they may reach beyond."""

    low: int
    high: int
    starts: list[int]
    ends: list[int]

    def covers(self, at: int) -> bool:
        place = bisect_right(self.starts, at) - 1
        return place >= 0 and at < self.ends[place]


class _Told(NamedTuple):
    """The last answer of ``next_change``: the same for every question in [since, until)."""

    since: int
    until: int
    answer: int | None


@dataclass(slots=True)
class _Memory:
    """What was worked out last; the next question is mostly near it."""

    stretch: _Stretch = field(default_factory=lambda: _Stretch(0, 0, [], []))
    told: _Told = field(default_factory=lambda: _Told(0, 0, None))


@dataclass(frozen=True)
class Recurrence:
    """Windows of ``duration`` that begin when ``rule`` happens, on the clock of ``zone``; none reaches past ``until``.

    Times are µs since 1970. Windows that overlap or touch are one.
    """

    rule: RRule
    duration: timedelta
    zone: ZoneInfo
    until: int | None = None
    _memory: _Memory = field(default_factory=_Memory, init=False, compare=False, repr=False)

    @classmethod
    def parse(cls, raw: Any, *, pointer: str) -> Recurrence:
        """Build one of ``{"timezone", "rrule", "dtstart"?, "duration"}``; ``dtstart`` is local time.

        Raises:
            Invalid: with a fault that names the place.
        """
        if not isinstance(raw, dict):
            raise BadWindow("an object is expected", pointer=pointer)
        for name in sorted(set(raw) - FIELDS):
            raise BadWindow("this field is not known here", pointer=member(pointer, name))
        texts = {name: raw.get(name, "") for name in FIELDS}
        for name in sorted(name for name, text in texts.items() if not isinstance(text, str)):
            raise BadWindow("a text is expected", pointer=member(pointer, name))
        duration = read_duration(texts["duration"]) if texts["duration"] else None
        if duration is None:
            raise BadWindow("an ISO 8601 duration such as PT8H is expected", pointer=member(pointer, "duration"))
        start = _local(texts["dtstart"], texts["timezone"], pointer) if "dtstart" in raw else FIRST
        return cls.of(texts["rrule"], start=start, duration=duration, zone=texts["timezone"], pointer=pointer)

    @classmethod
    def of(cls, rrule: str, *, start: datetime, duration: timedelta, zone: str, pointer: str = "") -> Recurrence:
        """Build one from a rule, its local start (naive) and the name of a time zone; raises as ``parse``."""
        check_zone(zone, pointer=member(pointer, "timezone"))
        if not timedelta(0) < duration <= LONGEST:
            raise BadWindow("a window lasts up to 366 days, and not nothing", pointer=member(pointer, "duration"))
        if len(rrule) > LONGEST_RRULE:
            raise BadWindow("a rule has 500 characters at most", pointer=member(pointer, "rrule"))
        place = ZoneInfo(zone)
        rule = RRule.parse(rrule, start=start, zone=place, pointer=member(pointer, "rrule"))
        return cls(rule, duration, place)

    def covers(self, at: int) -> bool:
        """Tell whether ``at`` lies in a window."""
        return self._around(at).covers(at)

    def next_change(self, after: int) -> int | None:
        """Return when a window next begins or ends; None where none does within the years that are looked through."""
        told = self._memory.told
        if not told.since <= after < told.until:
            answer = self._next_change(after)
            # That nothing comes for years is not asked again on the same day.
            told = self._memory.told = _Told(after, answer or after + _DAY, answer)
        return told.answer

    def windows(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return the windows in [start, end), cut to that."""
        found, at = list[tuple[int, int]](), start
        while at < end:
            known = self._around(at)
            high = min(known.high, end)
            cut = [(max(low, at), min(stop, high)) for low, stop in zip(known.starts, known.ends, strict=True)]
            found += [(low, stop) for low, stop in cut if low < stop]
            at = high
        return list(_merged(found))

    def _next_change(self, after: int) -> int | None:
        held, at, end = self.covers(after), after, after + HORIZONS[self.rule.freq] // MICROSECOND
        while at < end:
            known = self._around(at)
            if known.covers(at) is not held:
                return at
            edges = known.ends if held else known.starts
            place = bisect_right(edges, at)
            if place < len(edges) and edges[place] < known.high:
                return edges[place]
            at = known.high
        return None

    def _around(self, at: int) -> _Stretch:
        known = self._memory.stretch
        if not known.low <= at < known.high:
            known = self._memory.stretch = self._expanded(at)
        return known

    def _expanded(self, at: int) -> _Stretch:
        # Not shorter than what is looked back, or most of the work would be for that.
        length = max(STRETCHES[self.rule.freq], self.duration) // MICROSECOND
        low = at - at % length
        begins = from_micros(max(low, _LOWEST)).replace(tzinfo=None)
        ends = from_micros(min(low + length, _HIGHEST)).replace(tzinfo=None)
        happens = self.rule.between(begins - self.duration - FARTHEST, ends + FARTHEST)
        spans = ((_reached(local, self.zone), _reached(local + self.duration, self.zone)) for local in happens)
        merged = [span for span in _merged(self._cut(spans)) if span[1] > low and span[0] < low + length]
        return _Stretch(low, low + length, [start for start, _ in merged], [end for _, end in merged])

    def _cut(self, spans: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        for start, end in spans:
            last = end if self.until is None else min(end, self.until)
            if start < last:
                yield start, last


_LOWEST = to_micros(datetime(LOWEST_YEAR, 1, 1, tzinfo=UTC))
_HIGHEST = to_micros(datetime(2200, 1, 1, tzinfo=UTC))


def _merged(spans: Iterator[tuple[int, int]] | list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Join spans that overlap or touch; they come by their starts."""
    held: tuple[int, int] | None = None
    for start, end in spans:
        if held and start <= held[1]:
            held = held[0], max(held[1], end)
            continue
        if held:
            yield held
        held = start, end
    if held:
        yield held


@lru_cache(maxsize=10_000)
def _reached(local: datetime, zone: ZoneInfo) -> int:
    """Return when the clock of ``zone`` first shows ``local`` or a later time (µs)."""
    at = local.replace(tzinfo=zone).astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None) == local:
        return to_micros(at)
    # Left out in the night of a change: the change lies between the two readings of this time (PEP 495).
    low, high = to_micros(local.replace(tzinfo=zone, fold=1)), to_micros(at)
    while high - low > 1:
        middle = (low + high) // 2
        shown = from_micros(middle).astimezone(zone).replace(tzinfo=None)
        low, high = (low, middle) if shown >= local else (middle, high)
    return high


def _local(text: str, zone: str, pointer: str) -> datetime:
    """Read a local start; a time with an offset is put on the clock of the zone."""
    check_zone(zone, pointer=member(pointer, "timezone"))
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        moment = datetime.min  # noqa: DTZ901 - out of bounds, as below
    if not FIRST.year <= moment.year < FIRST.year + 100:
        message = "a local time such as 2026-11-02T06:00:00 is expected"
        raise BadWindow(message, pointer=member(pointer, "dtstart"))
    return moment
