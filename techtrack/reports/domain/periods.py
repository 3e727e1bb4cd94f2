"""The period of a report: a month or a year of a site's standard time, which knows no summer time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from techtrack.core.errors import Invalid

FIRST_YEAR, LAST_YEAR = 2000, 2099
_PERIOD = re.compile(r"(\d{4})(?:-(0[1-9]|1[0-2]))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Period:
    """A year, or a ``month`` of it."""

    year: int
    month: int | None = None

    def __str__(self) -> str:
        return f"{self.year:04d}" if self.month is None else f"{self.year:04d}-{self.month:02d}"

    @property
    def title(self) -> str:
        """As people say it."""
        return f"{self.year}" if self.month is None else f"{datetime(self.year, self.month, 1, tzinfo=UTC):%B %Y}"

    def begin(self, offset: timedelta) -> datetime:
        """When it begins by a clock ``offset`` ahead of UTC."""
        return datetime(self.year, self.month or 1, 1, tzinfo=UTC) - offset

    def end(self, offset: timedelta) -> datetime:
        """When it ends by that clock."""
        year, month = (self.year, self.month + 1) if self.month and self.month < 12 else (self.year + 1, 1)  # noqa: PLR2004 - December
        return datetime(year, month, 1, tzinfo=UTC) - offset


def read_period(text: str, *, pointer: str = "/period") -> Period:
    """Read ``2016`` or ``2016-03``.

    Raises:
        Invalid: it is neither.
    """
    found = _PERIOD.fullmatch(text)
    if found is None or not FIRST_YEAR <= int(found[1]) <= LAST_YEAR:
        raise Invalid(
            f"a period is a year such as 2026, or a month such as 2026-11, from {FIRST_YEAR}", pointer=pointer
        )
    return Period(int(found[1]), int(found[2]) if found[2] else None)
