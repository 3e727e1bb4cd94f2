"""Who is to do a task, and with whom it is shared."""

from __future__ import annotations

from django.db import models

# Of each: who is to do a task, and with whom it is shared.
MOST_PEOPLE = 100


class TaskOwner(models.Model):
    """Who is to do it."""

    task = models.ForeignKey("tasks.Task", models.CASCADE, related_name="owner_rows")
    user = models.ForeignKey("accounts.User", models.CASCADE, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "user"], name="owner_once_per_task")]


class Level(models.TextChoices):
    """What a task is shared for; each level includes the ones before it."""

    READ = "read"
    COMMENT = "comment"
    WRITE = "write"


class TaskShare(models.Model):
    """Who else may see it, and how much of it they may touch."""

    task = models.ForeignKey("tasks.Task", models.CASCADE, related_name="share_rows")
    user = models.ForeignKey("accounts.User", models.CASCADE, related_name="+")
    level = models.CharField(max_length=8, choices=Level.choices, default=Level.READ)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "user"], name="share_once_per_task")]
