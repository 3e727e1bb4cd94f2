"""When somebody is to be reminded of a task."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from techtrack.tasks.domain.reminders import Armed, Reminder


class TaskReminder(models.Model):
    """A reminder at a moment, or so long before the task is due; of two columns one is set.

    ``moment`` is when it is to fire, None while it waits for a due date; ``spent``: it fired, or was set too late to.
    """

    task = models.ForeignKey("tasks.Task", models.CASCADE, related_name="reminder_rows")
    at = models.DateTimeField(null=True)
    before = models.DurationField(null=True)
    moment = models.DateTimeField(null=True)
    spent = models.BooleanField(default=False)

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["moment"], name="reminder_due", condition=Q(spent=False))]

    def armed(self) -> Armed:
        """Return it as the rules know it."""
        return Armed(Reminder(at=self.at, before=self.before), self.moment, self.spent)
