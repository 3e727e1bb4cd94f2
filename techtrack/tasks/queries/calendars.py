"""What calendars are told of tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import Q

from techtrack.accounts.domain.access import Access
from techtrack.tasks.domain.ical import Entry, calendar
from techtrack.tasks.domain.reminders import parse_reminders
from techtrack.tasks.domain.workflow import UNFINISHED
from techtrack.tasks.models import CalendarFeed, Task, TaskQuerySet
from techtrack.tasks.queries.letters import page_of

# What was finished before is history, and not in a calendar.
SHOWN_AFTERWARDS = timedelta(days=90)
MOST_ENTRIES = 5000
_COLUMNS = (
    *("id", "title", "due_date", "created_at", "updated_at", "version", "state", "priority", "description"),
    *("category__owner", "category__name", "asset__name", "estimated_seconds", "reminders"),
)


def calendar_of(feed: CalendarFeed, *, now: datetime) -> Iterator[bytes]:
    """Write the calendar of a feed, for its owner as that person now is; the earliest due first."""
    rows = _rows(feed, now).order_by("due_date", "pk").values(*_COLUMNS)[:MOST_ENTRIES]
    host = urlsplit(settings.PUBLIC_URL).hostname
    # Rows without objects: two thousand of them are asked for every few minutes.
    return calendar((_entry(row, host=f"{host}", reader=feed.owner_id) for row in rows), name=feed.name)


def _rows(feed: CalendarFeed, now: datetime) -> TaskQuerySet:
    person = feed.owner.access()
    # Without roles a person sees what is the own or shared, and nothing else.
    access = person if feed.everything else Access(person.user_id, person.username)
    recent = Q(state__in=UNFINISHED) | Q(due_date__gte=now - SHOWN_AFTERWARDS)
    return Task.objects.visible_to(access).filter(recent, due_date__isnull=False)


def _entry(row: Mapping[str, Any], *, host: str, reader: int) -> Entry:
    lasts = row["estimated_seconds"]
    return Entry(
        uid=f"task-{row['id']}@{host}",
        title=row["title"],
        due=row["due_date"],
        created=row["created_at"],
        updated=row["updated_at"],
        version=row["version"],
        state=row["state"],
        priority=row["priority"],
        description=row["description"],
        # Into which drawer somebody else has put it is that person's business.
        category=row["category__name"] if row["category__owner"] == reader else "",
        place=row["asset__name"] or "",
        url=page_of(row["id"]),
        lasts=timedelta(seconds=lasts) if lasts else None,
        reminders=parse_reminders(row["reminders"]),
    )
