"""Hands out and takes back the keys under which calendars find tasks."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from techtrack.accounts.domain.access import Access
from techtrack.accounts.domain.credentials import digest
from techtrack.core.errors import Conflict, Forbidden, NotFound
from techtrack.tasks.models import CalendarFeed

MOST_FEEDS = 50
# Calendars come every few minutes: that they do is worth a write an hour.
NOTED_EVERY = timedelta(hours=1)


class FeedGone(NotFound):
    """The key opens nothing: it was taken back, or never given."""

    code = "feed_gone"


class NotByKey(Forbidden):
    """Credentials are handed out to people only: a leaked key must not breed."""

    code = "not_by_key"


class TooManyFeeds(Conflict):
    """More than anybody has calendars."""

    code = "too_many_feeds"


@transaction.atomic
def create_feed(*, by: Access, data: Mapping[str, Any], now: datetime) -> tuple[CalendarFeed, str]:
    """Make a feed of the caller's own; return it with its key, which is not kept.

    Raises:
        NotByKey, TooManyFeeds: see there.
    """
    if by.key_id is not None:
        raise NotByKey("a calendar is for a person: log in")
    if CalendarFeed.objects.filter(owner=by.user_id).count() >= MOST_FEEDS:
        raise TooManyFeeds(f"{MOST_FEEDS} calendars at most: take one back first")
    key = secrets.token_urlsafe(32)
    feed = CalendarFeed.objects.create(owner_id=by.user_id, digest=digest(key), created_at=now, updated_at=now, **data)
    return feed, key


@transaction.atomic
def update_feed(
    *, feed: CalendarFeed, by: Access, changes: Mapping[str, Any], expected: int | None, now: datetime
) -> CalendarFeed:
    """Call a feed of the caller's own something else, or let it show more or less."""
    _require_owner(feed, by)
    return feed.change(expected=expected, now=now, **changes)


@transaction.atomic
def delete_feed(*, feed: CalendarFeed, by: Access, expected: int | None) -> None:
    """Take a feed back: from here on its key opens nothing."""
    _require_owner(feed, by)
    feed.remove(expected=expected)


def open_feed(*, key: str, now: datetime) -> CalendarFeed:
    """Return the feed that a key opens, with its owner, and note that it was read.

    Raises:
        FeedGone: it opens nothing, or its owner is not here any more.
    """
    rows = CalendarFeed.objects.select_related("owner").filter(owner__is_active=True)
    feed = rows.filter(digest=digest(key)).first()
    if feed is None:
        raise FeedGone("this calendar was taken back, or its address is wrong")
    if feed.last_read is None or now - feed.last_read > NOTED_EVERY:
        due = Q(last_read=None) | Q(last_read__lt=now - NOTED_EVERY)
        CalendarFeed.objects.filter(due, pk=feed.pk).update(last_read=now)
    return feed


def _require_owner(feed: CalendarFeed, by: Access) -> None:
    if feed.owner_id != by.user_id:
        raise Forbidden("this calendar is not yours")
