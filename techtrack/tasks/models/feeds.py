"""Calendars that subscribe to tasks."""

from __future__ import annotations

from django.db import models

from techtrack.accounts.domain.access import Access
from techtrack.core.auditing import Audited
from techtrack.core.models import Versioned


class CalendarFeedQuerySet(models.QuerySet["CalendarFeed"]):
    """Feeds are personal."""

    def visible_to(self, access: Access) -> CalendarFeedQuerySet:
        """The caller's own."""
        return self.filter(owner=access.user_id)


class CalendarFeed(Versioned):
    """An address at which a calendar finds the tasks of its owner, without log-in: whoever knows it may read them.

    Of the key only the hash is kept. ``everything``: also tasks of the owner's sites that are not the owner's own.
    """

    owner = models.ForeignKey("accounts.User", models.CASCADE, related_name="+")
    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True)
    everything = models.BooleanField(default=False)
    last_read = models.DateTimeField(null=True)

    # A person's own words, and a secret.
    audited = Audited(hidden=frozenset({"name", "digest"}), silent=frozenset({"last_read"}))
    objects = CalendarFeedQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]
