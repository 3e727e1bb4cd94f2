"""The one place that asks what time it is; everything below a door receives ``now`` as an argument."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
_DURATION = re.compile(
    r"P(?=.*\d[A-Z]\Z)(?:(?P<weeks>\d{1,6})W|(?:(?P<days>\d{1,6})D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d{1,8})H)?(?:(?P<minutes>\d{1,9})M)?(?:(?P<seconds>\d{1,9}(?:\.\d{1,6})?)S)?)?)",
    re.ASCII,
)


def now() -> datetime:
    """Return the wall clock, in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - this is the one place


class PlantClock:
    """The time that the plant lives in; the wall clock, unless the demo replays history.

    The judge's timers and the age of a notification follow this clock, so that a rule's delay
    scales with a replay that runs faster than life.
    """

    def __init__(self) -> None:
        self._source: Callable[[], datetime] = now

    def __call__(self) -> datetime:
        return self._source()

    def follow(self, source: Callable[[], datetime]) -> None:
        """Take the time from ``source`` from now on."""
        self._source = source


plant_now = PlantClock()


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970 (UTC), exactly."""
    return (moment - EPOCH) // MICROSECOND


def from_micros(micros: int) -> datetime:
    """Turn microseconds since 1970 back into UTC; the exact inverse of ``to_micros``."""
    return EPOCH + timedelta(microseconds=micros)


def isoformat(moment: datetime) -> str:
    """RFC 3339 in UTC with ``Z``, as every door writes it."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def iso_duration(duration: timedelta) -> str:
    """ISO 8601 as people write it: ``PT5M``, ``P1DT12H``, ``PT0.5S``."""
    minutes, seconds = divmod(duration.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    exact = f"{seconds}.{duration.microseconds:06}".rstrip("0").rstrip(".")
    days = f"{duration.days}D" if duration.days else ""
    parts = {"H": str(hours), "M": str(minutes), "S": exact}
    # RFC 3339, appendix A, and so JSON Schema, knows no hours and seconds without the minutes between them.
    kept = {"M"} if hours and exact != "0" else set()
    time = "".join(f"{number}{unit}" for unit, number in parts.items() if number != "0" or unit in kept)
    return f"P{days}T{time}" if time else f"P{days or 'T0S'}"


def measured_duration(duration: timedelta) -> str:
    """The same of what was measured, to the second: JSON Schema's durations (RFC 3339) know no parts of one."""
    return iso_duration(timedelta(seconds=round(duration.total_seconds())))


def read_duration(text: str) -> timedelta | None:
    """Read an ISO 8601 duration of weeks, or of days, hours, minutes and seconds; None for any other text."""
    found = _DURATION.fullmatch(text)
    if found is None:
        return None
    return timedelta(**{unit: float(number) for unit, number in found.groupdict("0").items()})
