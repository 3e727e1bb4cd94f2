"""Decides whether a person is told now, or when: quiet hours, digests and the mildest severity that is of interest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from techtrack.alerts.domain.condition import SEVERITIES

DAY = timedelta(days=1)
# Hours that touch one another without end would keep a message for ever: after a week it comes.
LONGEST = timedelta(days=7)
DIGESTS = ("hourly", "daily")


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours that begin at ``start`` on each of ``days`` (0 is Monday), until ``end``, of the next day if need be."""

    days: frozenset[int]
    start: time
    end: time


@dataclass(frozen=True, slots=True)
class Wishes:
    """How a person wants to be told; times are on the clock of ``zone``."""

    zone: ZoneInfo
    minimum_severity: str = SEVERITIES[0]
    quiet: Sequence[Quiet] = ()
    quiet_except: str = SEVERITIES[-1]
    digest: str = ""
    digest_at: time = time(7)
    digest_below: str = "medium"


def wanted(wishes: Wishes, severity: str) -> bool:
    """Tell whether alerts of this severity are told to the person at all."""
    return _at_least(severity, wishes.minimum_severity)


def held_until(wishes: Wishes, severity: str, at: datetime, *, digests: bool = True) -> datetime | None:
    """Return until when a message waits, None where it goes out at once; ``digests`` False: its digest is due."""
    in_digest = digests and wishes.digest in DIGESTS and not _at_least(severity, wishes.digest_below)
    moment = _next_digest(wishes, at) if in_digest else at
    if not _at_least(severity, wishes.quiet_except):
        moment = _quiet_until(wishes, moment)
    return moment if moment > at else None


def _at_least(severity: str, limit: str) -> bool:
    return SEVERITIES.index(severity) >= SEVERITIES.index(limit)


def _quiet_until(wishes: Wishes, at: datetime) -> datetime:
    """Return the end of the quiet hours that hold at ``at``, those that follow at once included; ``at`` outside."""
    moment = at
    while moment < at + LONGEST:
        ends = [
            end for one in wishes.quiet for start, end in _around(one, moment, wishes.zone) if start <= moment < end
        ]
        if not ends:
            break
        moment = max(ends)
    return min(moment, at + LONGEST)


def _around(quiet: Quiet, at: datetime, zone: ZoneInfo) -> list[tuple[datetime, datetime]]:
    """The hours that begin on the day of ``at`` or on the day before."""
    today = at.astimezone(zone).date()
    overnight = DAY if quiet.end <= quiet.start else timedelta(0)
    days = [day for day in (today - DAY, today) if day.weekday() in quiet.days]
    return [(_moment(day, quiet.start, zone), _moment(day + overnight, quiet.end, zone)) for day in days]


def _next_digest(wishes: Wishes, at: datetime) -> datetime:
    local = at.astimezone(wishes.zone)
    if wishes.digest == "hourly":
        past_hour = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        # In UTC, where every hour comes once and has sixty minutes.
        return at - past_hour + timedelta(hours=1)
    today = _moment(local.date(), wishes.digest_at, wishes.zone)
    return today if today > at else _moment(local.date() + DAY, wishes.digest_at, wishes.zone)


def _moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, tzinfo=zone).astimezone(UTC)
