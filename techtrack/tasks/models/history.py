"""What became of tasks: every change, and whom they left."""

from __future__ import annotations

from django.db import models

from techtrack.tasks.models.comments import OfTask, OfTaskQuerySet


class TaskEdit(OfTask):
    """One write of a task, by the version that it made: the fields that it changed, before and after, as JSON.

    ``by`` is null for what the platform did, and once the person is gone.
    """

    class Event(models.TextChoices):
        """What happened."""

        CREATED = "created"
        CHANGED = "changed"
        DELETED = "deleted"
        RESTORED = "restored"

    version = models.PositiveIntegerField()
    at = models.DateTimeField()
    by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    event = models.CharField(max_length=8, choices=Event.choices, default=Event.CHANGED)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)

    objects = OfTaskQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "version"], name="one_edit_per_version")]


class TaskNumber(models.Model):
    """The number of the last change of a task: such numbers become visible in order (``domain/sync.py``).

    It is written last, and others wait meanwhile; so it is no column of the task, of which PostgreSQL would look
    again at all that it refers to, and wait in its turn.
    """

    task = models.OneToOneField("tasks.Task", models.CASCADE, primary_key=True, related_name="numbered")
    number = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["number", "task"], name="task_change")]


class Departure(models.Model):
    """A task that some can see no longer: a person, whoever sees a site (0: none), or a key that is bound to an asset.

    Written behind the head of ``TaskNumber``, so that their ids become visible in order. What they name is no
    foreign key: it may be gone.
    """

    task_id = models.BigIntegerField()
    person_id = models.BigIntegerField(null=True)
    site_id = models.BigIntegerField(null=True)
    asset_id = models.BigIntegerField(null=True)
    at = models.DateTimeField(db_index=True)
