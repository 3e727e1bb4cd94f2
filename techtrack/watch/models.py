"""Tables of watching oneself: who is alive, and what is believed of everything that is watched."""

from __future__ import annotations

import uuid

from django.db import models

from techtrack.watch.domain.following import Habit, Mark


class Heartbeat(models.Model):
    """A process that runs, as it told last; times are the database's, by which all are compared.

    ``works``: it runs the loops (judge, sender …), ``loops`` how many seconds before ``beat_at`` each of them had
    finished a step, ``disks`` the free bytes by folder. One without ``ended_at`` that beats no more has died.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    kind = models.CharField(max_length=8, choices=[(kind, kind) for kind in ("web", "worker", "both")])
    started_at = models.DateTimeField()
    beat_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    loops = models.JSONField(default=dict)
    disks = models.JSONField(default=dict)

    class Meta:
        ordering = ["-beat_at"]

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"


class Check(models.Model):
    """What is believed of one thing, such as the channel with the id that ``subject`` says; see domain/hysteresis.

    One row for all processes, locked while it changes: whoever comes second finds that it is said already.
    ``memory`` holds what the next look must know.
    """

    kind = models.CharField(max_length=24)
    subject = models.CharField(max_length=64, blank=True)
    active = models.BooleanField(default=False)
    since = models.DateTimeField(null=True)
    raised_at = models.DateTimeField(null=True)
    flaps = models.PositiveSmallIntegerField(default=0)
    # A number, not a foreign key: who deletes an alert would otherwise wait for us while we wait for it.
    alert_id = models.BigIntegerField(null=True)
    memory = models.JSONField(null=True)

    class Meta:
        ordering = ["kind", "subject"]
        constraints = [models.UniqueConstraint(fields=["kind", "subject"], name="one_check_of_a_thing")]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}".strip()


def freeze(memory: Mark | Habit | None) -> dict[str, object] | None:
    """Write a memory as JSON."""
    if memory is None:
        return None
    named = {name: getattr(memory, name) for name in type(memory).__slots__}
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in named.items()}
