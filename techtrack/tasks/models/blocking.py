"""Which task waits for which other one."""

from __future__ import annotations

from django.db import models
from django.db.models import Exists, F, OuterRef, Q

from techtrack.accounts.domain.access import Access
from techtrack.core.auditing import Audited
from techtrack.core.models import Versioned
from techtrack.tasks.models.comments import OfTask
from techtrack.tasks.models.tasks import Task


class BlockQuerySet(models.QuerySet["Block"]):
    """Blocks as a caller may see them."""

    def visible_to(self, access: Access) -> BlockQuerySet:
        """Those of tasks that the caller may see; ``seen`` tells whether what is waited for is one of them.

        What nobody sees nobody could take back, and work would wait for it for ever.
        """
        visible = Task.objects.visible_to(access).order_by()
        rows = self.filter(task__in=visible.values("pk"), blocker__deleted_at=None)
        return rows.annotate(seen=Exists(visible.filter(pk=OuterRef("blocker"))))


class Block(OfTask, Versioned):
    """``task`` waits until ``blocker`` is done or cancelled; no task waits for itself, by whatever way."""

    blocker = models.ForeignKey("tasks.Task", models.CASCADE, related_name="+")
    created_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    # Of a new one: who makes it sees both.
    seen: bool = True

    audited = Audited(cascades=False)
    objects = BlockQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["task", "blocker"], name="block_once"),
            models.CheckConstraint(condition=~Q(task=F("blocker")), name="no_block_of_itself"),
        ]
