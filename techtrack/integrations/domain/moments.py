"""Reads the ways in which files write time; every result is µs since 1970, UTC."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from techtrack.core.clock import to_micros
from techtrack.core.errors import Invalid

CALENDAR = ("year", "month", "day", "hour", "minute", "second")
NUMBER = re.compile(r"-?\d+(\.\d*)?")
# A number below this is no time since 1970 that telemetry takes (2000-01-01), so it may be a date: 20260101.
FIRST_SECOND = 946_684_800
# Seconds of the year 5138, milliseconds of 1973: whatever is above counts milliseconds.
FIRST_MILLISECOND = 100_000_000_000


class UnknownZone(Invalid):
    """There is no such time zone."""

    code = "unknown_zone"


class NoMoment(Exception):
    """A text is not a time, or not one moment; the message says why."""


def zone(name: str) -> tzinfo:
    """Return the time zone of an IANA name.

    Raises:
        UnknownZone: nobody knows it.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UnknownZone(f"{name!r} is not a time zone: write it as in Europe/Berlin or UTC") from None


@dataclass(frozen=True, slots=True)
class Clockface:
    """How the file's times are to be read.

    ``form`` is ``auto`` (ISO 8601 in all its ways, or seconds or milliseconds since 1970), ``epoch_s``,
    ``epoch_ms`` or a strptime pattern; times without an offset are local times of ``home``.
    """

    form: str
    home: tzinfo

    def reader(self, names: Sequence[str]) -> Callable[[Sequence[str]], int]:
        """Return the function that reads the cells of the time columns called ``names``."""
        lowered = [name.strip().lower() for name in names]
        if len(names) > 1 and set(lowered) <= set(CALENDAR):
            return lambda cells: self.local(_from_calendar(lowered, cells))
        if self.form in {"epoch_s", "epoch_ms"}:
            return lambda cells: _epoch(cells[0], self.form)
        if self.form == "auto":
            return lambda cells: self.written(" ".join(cells).strip())
        return lambda cells: self.patterned(" ".join(cells).strip())

    def written(self, text: str) -> int:
        """Read a time that says by its looks what it is."""
        if NUMBER.fullmatch(text) and abs(number := float(text)) >= FIRST_SECOND:
            return _epoch(text, "epoch_ms" if number >= FIRST_MILLISECOND else "epoch_s")
        try:
            return self.local(datetime.fromisoformat(text))
        except ValueError:
            raise NoMoment(
                f"{text[:40]!r} is not a time such as 2026-11-21 10:00:00: another form needs its pattern"
            ) from None

    def patterned(self, text: str) -> int:
        """Read a time by the pattern."""
        try:
            return self.local(datetime.strptime(text, self.form))  # noqa: DTZ007 - the zone is laid over below
        except ValueError:
            raise NoMoment(f"{text[:40]!r} is not a time of the form {self.form}") from None

    def local(self, moment: datetime) -> int:
        """Turn a local time into a moment; one with an offset is a moment already.

        Raises:
            NoMoment: the clocks were changed then: the local time came twice, or never.
        """
        try:
            if moment.tzinfo is None:
                moment = _placed(moment, self.home)
            return to_micros(moment.astimezone(UTC))
        except OverflowError:
            raise NoMoment(f"the year {moment.year} is out of bounds") from None


def _placed(moment: datetime, home: tzinfo) -> datetime:
    first, second = moment.replace(tzinfo=home), moment.replace(tzinfo=home, fold=1)
    gap = (first.utcoffset() or timedelta()) - (second.utcoffset() or timedelta())
    if gap:
        times = "twice" if gap > timedelta() else "never"
        raise NoMoment(f"{moment} came {times} in {home}, where the clocks were changed: write it with its offset")
    return first


def _from_calendar(names: Sequence[str], cells: Sequence[str]) -> datetime:
    try:
        parts = {name: int(cell) for name, cell in zip(names, cells, strict=True)}
        return datetime(**parts)  # type: ignore[arg-type]  # noqa: DTZ001 - the zone is laid over by the caller
    except (ValueError, TypeError):
        raise NoMoment(f"{'-'.join(cells)[:40]} is not a time by {', '.join(names)}") from None


def _epoch(text: str, form: str) -> int:
    try:
        number = float(text)
        return round(number * (1_000 if form == "epoch_ms" else 1_000_000))
    except (ValueError, OverflowError):
        raise NoMoment(f"{text[:40]!r} is not a number of {form.removeprefix('epoch_')} since 1970") from None
