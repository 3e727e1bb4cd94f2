"""Time that people spend on tasks."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from techtrack.core.auditing import Audited
from techtrack.core.models import Versioned
from techtrack.tasks.models.comments import OfTask, OfTaskQuerySet


class TimeEntry(OfTask, Versioned):
    """From when to when somebody worked on a task; without an end the clock is running."""

    person = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    note = models.CharField(max_length=500, blank=True, default="")

    # A person's own words.
    audited = Audited(hidden=frozenset({"note"}), cascades=False)
    objects = OfTaskQuerySet.as_manager()

    class Meta:
        ordering = ["-started_at", "-pk"]
        constraints = [
            # Nobody works on two things at once.
            models.UniqueConstraint(fields=["person"], condition=Q(ended_at=None), name="one_clock_per_person"),
            models.CheckConstraint(condition=Q(ended_at=None) | Q(ended_at__gt=F("started_at")), name="time_forwards"),
        ]
