"""Files that people attach to tasks; what they hold lies in a folder, once, under what it hashes to."""

from __future__ import annotations

from django.db import models

from techtrack.core.auditing import Audited
from techtrack.core.models import Versioned
from techtrack.tasks.domain.attachments import LONGEST_NAME
from techtrack.tasks.models.comments import OfTask, OfTaskQuerySet


class StoredFile(models.Model):
    """Contents that lie in the folder of attachments. ``used_at``: when somebody last attached them.

    The row is there before the file is, and until the file is gone: who has it locked decides about both.
    """

    digest = models.CharField(max_length=64, primary_key=True)
    used_at = models.DateTimeField(db_index=True)


class Attachment(OfTask, Versioned):
    """A file of a task; ``width`` and ``height`` are those of a picture, which has a thumbnail."""

    file = models.ForeignKey("tasks.StoredFile", models.PROTECT, related_name="+")
    name = models.CharField(max_length=LONGEST_NAME)
    type = models.CharField(max_length=100)
    size = models.PositiveIntegerField()
    width = models.PositiveIntegerField(null=True)
    height = models.PositiveIntegerField(null=True)
    created_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")

    # How people call their files is nobody's business.
    audited = Audited(hidden=frozenset({"name"}), cascades=False)
    objects = OfTaskQuerySet.as_manager()

    class Meta:
        ordering = ["created_at", "pk"]

    @property
    def has_thumbnail(self) -> bool:
        """Whether there is a small picture of it."""
        return self.width is not None
