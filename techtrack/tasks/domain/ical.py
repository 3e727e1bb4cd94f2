"""Writes tasks as a calendar (RFC 5545) that phones, desktops and terminals subscribe to.

Tasks are events: calendars show those, while most of them hide VTODOs of a subscription. Each task is written as it
is, without a rule: the next one of a recurring task is known once this one is closed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from techtrack.core.clock import iso_duration
from techtrack.tasks.domain.reminders import Reminder
from techtrack.tasks.domain.workflow import UNFINISHED

CONTENT_TYPE = "text/calendar; charset=utf-8"
# How often those who subscribe should come again.
REFRESH = timedelta(minutes=15)
# Without an end each program makes up its own: an hour (khal), a day, or nothing to see.
_LASTS = timedelta(minutes=30)
_OCTETS = 75
# 1 is the highest, 9 the lowest (RFC 5545, 3.8.1.9).
_PRIORITIES = {1: 9, 2: 5, 3: 3, 4: 1}
# All but the tab (3.1).
_CONTROLS: dict[int, str | None] = dict.fromkeys([*range(9), *range(10, 0x20), *range(0x7F, 0xA0)])
_UNPRINTABLE = _CONTROLS | dict.fromkeys(map(ord, "\u2028\u2029"), "\\n")


@dataclass(frozen=True, slots=True)
class Entry:
    """A task with a due date as a calendar shows it.

    ``uid`` is the same for ever and everywhere. ``place`` is what it is about. ``lasts`` is the estimated time.
    """

    uid: str
    title: str
    due: datetime
    created: datetime
    updated: datetime
    version: int
    state: str
    priority: int
    description: str = ""
    category: str = ""
    place: str = ""
    url: str = ""
    lasts: timedelta | None = None
    reminders: tuple[Reminder, ...] = ()


def calendar(entries: Iterable[Entry], *, name: str) -> Iterator[bytes]:
    """Write a calendar called ``name``, piece by piece; the same entries give the same bytes."""
    head = (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//TechTrack//Tasks//EN",
        "CALSCALE:GREGORIAN",
        f"NAME:{_text(name)}",
        # What was used before RFC 7986, and still is.
        f"X-WR-CALNAME:{_text(name)}",
        f"REFRESH-INTERVAL;VALUE=DURATION:{iso_duration(REFRESH)}",
        f"X-PUBLISHED-TTL:{iso_duration(REFRESH)}",
    )
    yield _lines(head)
    for entry in entries:
        yield _lines(_event(entry))
    yield _lines(["END:VCALENDAR"])


def _event(entry: Entry) -> Iterator[str]:
    done = "✓ " if entry.state == "done" else ""
    title, updated = _text(entry.title), _moment(entry.updated)
    yield "BEGIN:VEVENT"
    yield f"UID:{_text(entry.uid)}"
    # Without METHOD this is the time of the last change (3.8.7.2), so that nothing changes from look to look.
    yield f"DTSTAMP:{updated}"
    yield f"CREATED:{_moment(entry.created)}"
    yield f"LAST-MODIFIED:{updated}"
    yield f"SEQUENCE:{entry.version}"
    yield f"DTSTART:{_moment(entry.due)}"
    yield f"DTEND:{_moment(entry.due + (entry.lasts or _LASTS))}"
    yield f"SUMMARY:{done}{title}"
    yield f"STATUS:{'CANCELLED' if entry.state == 'cancelled' else 'CONFIRMED'}"
    yield f"PRIORITY:{_PRIORITIES[entry.priority]}"
    # Nobody is away because something is due.
    yield "TRANSP:TRANSPARENT"
    texts = {"DESCRIPTION": entry.description, "CATEGORIES": entry.category, "LOCATION": entry.place}
    yield from (f"{named}:{_text(text)}" for named, text in texts.items() if text)
    if entry.url:
        yield f"URL:{entry.url.translate(_CONTROLS)}"
    if entry.state in UNFINISHED:
        for reminder in entry.reminders:
            yield from _alarm(title, reminder)
    yield "END:VEVENT"


def _alarm(title: str, reminder: Reminder) -> Iterator[str]:
    yield "BEGIN:VALARM"
    yield "ACTION:DISPLAY"
    yield f"DESCRIPTION:{title}"
    if reminder.at is not None:
        yield f"TRIGGER;VALUE=DATE-TIME:{_moment(reminder.at)}"
    elif reminder.before is not None:
        # The grammar knows no hours and seconds without minutes between them, nor parts of a second.
        minutes = timedelta(minutes=reminder.before // timedelta(minutes=1))
        yield f"TRIGGER:-{iso_duration(minutes)}"
    yield "END:VALARM"


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")
    return escaped if escaped.isprintable() else escaped.translate(_UNPRINTABLE)


def _moment(at: datetime) -> str:
    # Faster than strftime, and a calendar is mostly times.
    return at.astimezone(UTC).isoformat()[: len("2026-11-02T05:00:00")].replace("-", "").replace(":", "") + "Z"


def _lines(lines: Iterable[str]) -> bytes:
    return b"".join(_folded(line) for line in lines)


def _folded(line: str) -> bytes:
    """Break a line into pieces of at most 75 octets, none of them inside a character."""
    # A lone surrogate is no character; one in a title must not take the whole calendar away.
    octets = line.encode("utf-8", "replace")
    if len(octets) <= _OCTETS:
        return octets + b"\r\n"
    pieces, start, room = [], 0, _OCTETS
    while len(octets) - start > room:
        end = start + room
        while octets[end] & 0xC0 == 0x80:  # noqa: PLR2004 - the mark of what continues a character in UTF-8
            end -= 1
        pieces.append(octets[start:end])
        # The space that continues a line counts.
        start, room = end, _OCTETS - 1
    return b"\r\n ".join((*pieces, octets[start:])) + b"\r\n"
