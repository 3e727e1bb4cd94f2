"""The table of previews that are made in the background."""

from __future__ import annotations

from django.db import models

from techtrack.accounts.domain.access import Access

LIVE = ("waiting", "running")


class PreviewState(models.TextChoices):
    """How far a run is; ``interrupted``: its process ended before it did."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


class PreviewRunQuerySet(models.QuerySet["PreviewRun"]):
    """Runs are the business of who asked."""

    def visible_to(self, access: Access) -> PreviewRunQuerySet:
        """Those that the caller asked for."""
        return self.filter(by=access.user_id)


class PreviewRun(models.Model):
    """A preview of the rule lab that takes long: what was asked, how far it is, and what came of it.

    ``done`` and ``total`` count assets, each once for itself and once for each cell of a sweep. ``beat_at`` says when
    its process was last seen at work.
    """

    state = models.CharField(max_length=12, choices=PreviewState.choices, default=PreviewState.WAITING)
    question = models.JSONField()
    result = models.JSONField(null=True)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField()
    error = models.TextField(blank=True, default="")
    by = models.ForeignKey("accounts.User", models.CASCADE, related_name="+")
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    beat_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects = PreviewRunQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"preview {self.pk}"
