"""Stretches of time in a query: ``from`` and ``to``, each a time with an offset or a day on the clock of a place."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from rest_framework.request import Request

from techtrack.core.api.fields import EARLIEST, LATEST
from techtrack.core.api.filters import moment
from techtrack.core.clock import MICROSECOND, to_micros
from techtrack.core.errors import Invalid

LONGEST = timedelta(days=366)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def edge(request: Request, name: str, default: int, zone: ZoneInfo) -> int:
    """Read a time, or a day as its beginning on the clock of ``zone`` (µs).

    Raises:
        Invalid: it is neither.
    """
    text = request.query_params.get(name, "")
    if _DAY.fullmatch(text):
        with suppress(ValueError, OverflowError):
            begins = datetime.combine(date.fromisoformat(text), time(), zone)
            if EARLIEST <= begins < LATEST:
                return to_micros(begins)
        raise Invalid(f"{name} is no day from 2000-01-01 to 2099-12-31", pointer=f"?{name}")
    return moment(request, name, default)


def past(request: Request, *, zone: ZoneInfo, usual: timedelta, now: datetime) -> tuple[int, int]:
    """Read what is to be measured (µs): it ends now at the latest, and begins so long before where nothing is said.

    Raises:
        Invalid: it is no time, or too long.
    """
    # What lies ahead cannot be measured yet.
    end = min(edge(request, "to", to_micros(now), zone), to_micros(now))
    start = edge(request, "from", end - usual // MICROSECOND, zone)
    if start >= end:
        raise Invalid("from lies before to, and before now", pointer="?from")
    if end - start > LONGEST // MICROSECOND:
        raise Invalid(f"{LONGEST.days} days at most are measured at once", pointer="?from")
    return start, end


def ahead(request: Request, *, zone: ZoneInfo, usual: timedelta, now: datetime) -> tuple[int, int]:
    """Read a time for which plans are told (µs): from now on, and so long, where nothing is said.

    Raises:
        Invalid: it is no time, or too long.
    """
    start = edge(request, "from", to_micros(now), zone)
    end = edge(request, "to", start + usual // MICROSECOND, zone)
    if start >= end:
        raise Invalid("from lies before to", pointer="?from")
    if end - start > LONGEST // MICROSECOND:
        raise Invalid(f"{LONGEST.days} days at most are told at once", pointer="?to")
    return start, end
