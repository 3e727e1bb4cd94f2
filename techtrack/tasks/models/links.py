"""Links by which anybody may read one task."""

from __future__ import annotations

from django.db import models

from techtrack.core.auditing import Audited
from techtrack.core.models import Versioned
from techtrack.tasks.models.comments import OfTask, OfTaskQuerySet


class TaskLink(OfTask, Versioned):
    """A way to read a task without logging in, until it expires or is revoked; of its key only a digest is kept."""

    created_by = models.ForeignKey("accounts.User", models.CASCADE, related_name="+")
    digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)

    audited = Audited(hidden=frozenset({"digest"}), cascades=False)
    objects = OfTaskQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
