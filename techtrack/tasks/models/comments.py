"""What people say about a task, and whom they mention."""

from __future__ import annotations

from django.db import models

from techtrack.accounts.domain.access import Access
from techtrack.core.auditing import Audited
from techtrack.core.models import Versioned
from techtrack.tasks.models.tasks import Task

LONGEST_COMMENT = 10_000


class OfTask(models.Model):
    """A row that belongs to a task: who may see the one sees the other, and they go together."""

    task = models.ForeignKey("tasks.Task", models.CASCADE, related_name="+")

    class Meta:
        abstract = True

    def audit_site(self) -> int | None:
        """The site at which the task is, if it is at one."""
        return self.task.audit_site()


class OfTaskQuerySet(models.QuerySet):
    """Rows of tasks as a caller may see them."""

    def visible_to(self, access: Access) -> OfTaskQuerySet:
        """Those of tasks that the caller may see."""
        return self.filter(task__in=Task.objects.visible_to(access).order_by().values("pk"))


class Comment(OfTask, Versioned):
    """What somebody said about a task; ``author`` is null once that person is gone."""

    author = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    text = models.TextField(max_length=LONGEST_COMMENT)

    audited = Audited(hidden=frozenset({"text"}), cascades=False)
    objects = OfTaskQuerySet.as_manager()

    class Meta:
        ordering = ["created_at", "pk"]

    @property
    def mentioned(self) -> list[int]:
        """The ids of those who were told of it; no query where ``mention_rows`` were prefetched."""
        return sorted(row.user_id for row in self.mention_rows.all())


class Mention(models.Model):
    """Somebody whom a comment mentions, and who may see the task: told once, however often the comment is edited."""

    comment = models.ForeignKey("tasks.Comment", models.CASCADE, related_name="mention_rows")
    user = models.ForeignKey("accounts.User", models.CASCADE, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["comment", "user"], name="mention_once_per_comment")]
