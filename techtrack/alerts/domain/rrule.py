"""Recurrence rules of RFC 5545 on wall-clock time: which are understood, and when they happen."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import takewhile
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

from techtrack.core.errors import Invalid

YEAR = timedelta(days=366)
# How far is looked for what comes next; leap days may be eight years apart.
HORIZONS = {"HOURLY": 2 * YEAR, "DAILY": 12 * YEAR, "WEEKLY": 12 * YEAR, "MONTHLY": 12 * YEAR, "YEARLY": 12 * YEAR}
STEPS = {"HOURLY": timedelta(hours=1), "DAILY": timedelta(days=1), "WEEKLY": timedelta(weeks=1)}
DAYS = {"DAILY": 1, "WEEKLY": 7, "MONTHLY": 31, "YEARLY": 366}
MOST_A_DAY = 96
# dateutil tries every period up to the year 9999 for one that matches: minutes, where none does. The calendar
# repeats every 400 years to the weekday, so it is asked for the same days 7,600 years on, where the end is near.
ON = 7600
LOWEST_YEAR, HIGHEST_YEAR = 1990, 2130
BOUNDS = {
    "INTERVAL": (1, 999),
    "COUNT": (1, 10_000),
    "BYMONTH": (1, 12),
    "BYMONTHDAY": (-31, 31),
    "BYYEARDAY": (-366, 366),
    "BYWEEKNO": (-53, 53),
    "BYHOUR": (0, 23),
    "BYMINUTE": (0, 59),
    "BYSETPOS": (-366, 366),
}
WITHOUT_ZERO = {"BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS"}
NAMES_DAYS = {"BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYDAY"}
_NUMBER = re.compile(r"[+-]?\d{1,5}", re.ASCII)
_WEEKDAY = re.compile(r"([+-]?[1-9]\d?)?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
_UNTIL = re.compile(r"(\d{8})(?:(T\d{6})(Z?))?", re.ASCII)


class BadRule(Invalid):
    """It is no recurrence rule, or one that is not served here."""

    code = "bad_rrule"


@dataclass(frozen=True)
class RRule:
    """A rule that was checked: its parts but UNTIL, the first and the last moment at which it may happen (naive)."""

    parts: tuple[tuple[str, str], ...]
    start: datetime
    until: datetime

    @classmethod
    def parse(cls, text: str, *, start: datetime, zone: ZoneInfo, pointer: str) -> RRule:
        """Read a rule such as ``FREQ=WEEKLY;BYDAY=SA,SU``; an UNTIL in UTC is put on the clock of ``zone``.

        Raises:
            BadRule: it is no such rule, comes more often than every quarter of an hour, or never.
        """
        try:
            parts = _parts(text)
            until = _until(parts.pop("UNTIL", None), zone)
            rule = cls(tuple(_with_days(parts, start).items()), start.replace(microsecond=0), until)
            found = rule.between(rule.start, rule.start + HORIZONS[rule.freq], most=1)
        except (ValueError, OverflowError) as error:
            raise BadRule(f"this is no recurrence rule: {error}", pointer=pointer) from error
        if not found:
            raise BadRule("this recurrence rule does not happen in the years after its start", pointer=pointer)
        return rule

    @property
    def freq(self) -> str:
        """The frequency: YEARLY to HOURLY."""
        return self._named["FREQ"]

    @cached_property
    def _named(self) -> dict[str, str]:
        return dict(self.parts)

    @cached_property
    def _text(self) -> str:
        return ";".join(f"{name}={value}" for name, value in self.parts)

    @property
    def _interval(self) -> int:
        return int(self._named.get("INTERVAL", "1"))

    def between(self, low: datetime, high: datetime, *, most: int | None = None) -> list[datetime]:
        """Return when it happens in [low, high), in order, the first ``most`` of that."""
        low, high = max(_inside(low), self.start), min(_inside(high), self.until + timedelta(microseconds=1))
        if low >= high:
            return []
        on = rrulestr(self._text, dtstart=_moved(self._start_before(low), ON))
        end = _moved(high, ON)
        found: list[datetime] = []
        for at in takewhile(lambda at: at < end, on):
            moment = _moved(at, -ON)
            if moment >= low:
                found.append(moment)
            if len(found) == most:
                break
        return found

    def _start_before(self, low: datetime) -> datetime:
        """Return a start in step with the real one, not long before ``low``: a rule is expanded from its start."""
        if "COUNT" in self._named:
            return self.start
        if self.freq not in STEPS:
            return self._month_before(low)
        step = STEPS[self.freq] * self._interval
        return self.start + max(0, (low - self.start) // step - 1) * step

    def _month_before(self, low: datetime) -> datetime:
        step = self._interval * (12 if self.freq == "YEARLY" else 1)
        months = (low.year - self.start.year) * 12 + low.month - self.start.month
        # A period more than needed: what a rule counts in weeks may begin in the period before.
        steps = months // step - 1
        if steps <= 0:
            return self.start
        year, month = divmod(self.start.year * 12 + self.start.month - 1 + steps * step, 12)
        # The rule names its days (``_with_days``), so that the first will do.
        return self.start.replace(year=year, month=month + 1, day=1)


def _moved(moment: datetime, years: int) -> datetime:
    return moment.replace(year=moment.year + years)


def _inside(moment: datetime) -> datetime:
    return min(max(moment, datetime(LOWEST_YEAR, 1, 1)), datetime(HIGHEST_YEAR, 1, 1))  # noqa: DTZ001 - a wall clock's


def _parts(text: str) -> dict[str, str]:
    """Split a rule into its parts, each of them checked."""
    parts: dict[str, str] = {}
    for part in text.upper().removeprefix("RRULE:").split(";"):
        name, _, value = part.partition("=")
        if name in parts:
            raise ValueError(f"{name} is there twice")
        _check_part(name, value)
        parts[name] = value
    if "FREQ" not in parts:
        raise ValueError("FREQ is missing")
    if "COUNT" in parts and "UNTIL" in parts:
        raise ValueError("it has either COUNT or UNTIL")
    _check_together(parts)
    return parts


def _check_part(name: str, value: str) -> None:
    if name == "FREQ":
        if value not in HORIZONS:
            raise ValueError(f"FREQ is one of {', '.join(HORIZONS)}")
    elif name == "WKST":
        _check_days(name, value, ordinals=False)
    elif name == "BYDAY":
        _check_days(name, value, ordinals=True)
    elif name in BOUNDS:
        _check_numbers(name, value)
    elif name != "UNTIL":
        raise ValueError(f"{name[:20] or 'an empty part'} is not known here")


def _check_days(name: str, value: str, *, ordinals: bool) -> None:
    days = [_WEEKDAY.fullmatch(day) for day in value.split(",")]
    if not all(day and (ordinals or not day[1]) for day in days):
        raise ValueError(f"{name} takes days such as MO")


def _check_numbers(name: str, value: str) -> None:
    low, high = BOUNDS[name]
    texts = value.split(",") if name.startswith("BY") else [value]
    for text in texts:
        if not _NUMBER.fullmatch(text) or not low <= int(text) <= high or (name in WITHOUT_ZERO and not int(text)):
            raise ValueError(f"{name} is a number from {low} to {high}")


def _check_together(parts: dict[str, str]) -> None:
    minutes = len(set(parts.get("BYMINUTE", "0").split(",")))
    hours = len(set(parts.get("BYHOUR", "0").split(","))) if parts["FREQ"] != "HOURLY" else 24
    if minutes * hours > MOST_A_DAY:
        raise ValueError(f"it happens more than {MOST_A_DAY} times a day")
    # So many moments a period has at most; for one beyond them dateutil looks through every period there will be.
    most = minutes if parts["FREQ"] == "HOURLY" else DAYS[parts["FREQ"]] * hours * minutes
    if min(abs(int(text)) for text in parts.get("BYSETPOS", "1").split(",")) > most:
        raise ValueError(f"BYSETPOS counts to {most} here")
    _check_ordinals(parts)


def _check_ordinals(parts: dict[str, str]) -> None:
    days = [_WEEKDAY.fullmatch(day) for day in parts.get("BYDAY", "MO").split(",")]
    numbers = [abs(int(day[1])) for day in days if day and day[1]]
    if numbers and parts["FREQ"] in STEPS:
        raise ValueError("a numbered BYDAY needs FREQ MONTHLY or YEARLY")
    most = 53 if parts["FREQ"] == "YEARLY" and "BYMONTH" not in parts else 5
    if max(numbers, default=0) > most:
        raise ValueError(f"a numbered BYDAY counts to {most} here")


def _until(text: str | None, zone: ZoneInfo) -> datetime:
    """Read the last moment; a date means all of that day."""
    if text is None:
        return datetime(HIGHEST_YEAR, 1, 1)  # noqa: DTZ001 - a wall clock's
    match = _UNTIL.fullmatch(text)
    if not match:
        raise ValueError("UNTIL is a time such as 20261231T235959Z")
    until = datetime.strptime(match[1] + (match[2] or "T235959"), "%Y%m%dT%H%M%S")  # noqa: DTZ007 - a wall clock's
    if match[3]:
        until = until.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)
    return _inside(until)


def _with_days(parts: dict[str, str], start: datetime) -> dict[str, str]:
    """Say what the rule takes from its start, so that it can be expanded from elsewhere."""
    if parts["FREQ"] in STEPS or NAMES_DAYS & set(parts):
        return parts
    month = {"BYMONTH": str(start.month)} if parts["FREQ"] == "YEARLY" else {}
    return month | parts | {"BYMONTHDAY": str(start.day)}
