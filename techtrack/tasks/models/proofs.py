"""Table of what telemetry says of repairs."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from techtrack.tasks.domain import proving
from techtrack.tasks.models.tasks import Task


class Phase(models.TextChoices):
    """How far the proof of a repair is; a person may waive it."""

    WAITING = proving.Phase.WAITING.value
    VERIFYING = proving.Phase.VERIFYING.value
    VERIFIED = proving.Phase.VERIFIED.value
    REFUTED = proving.Phase.REFUTED.value
    EXPIRED = proving.Phase.EXPIRED.value
    WAIVED = "waived"


UNDER_WAY = (Phase.WAITING, Phase.VERIFYING)


class Proof(models.Model):
    """Whether the work of a task has helped: the asset must run so long (``run``) without an alert of the same rule.

    One row per task, begun anew (``attempt``) each time that the work is done; times are µs, as ``proving.Proof`` has
    them. ``warned``: how long it ran while the alert of before was still there. Of a refuted one ``evidence`` says why.
    ``wanted`` False: a person does not want it proved; ``run`` and ``patience`` None: as the rule says, or as usual.
    """

    task = models.OneToOneField("tasks.Task", models.CASCADE, primary_key=True, related_name="proof")
    wanted = models.BooleanField(default=True)
    run = models.DurationField(null=True)
    patience = models.DurationField(null=True)
    asset = models.ForeignKey("assets.Asset", models.CASCADE, null=True, related_name="+")
    rule = models.ForeignKey("alerts.Rule", models.SET_NULL, null=True, related_name="+")
    attempt = models.PositiveIntegerField(default=0)
    phase = models.CharField(max_length=10, choices=Phase.choices, blank=True, default="")
    since = models.BigIntegerField(null=True)
    seen = models.BigIntegerField(null=True)
    running = models.BooleanField(default=False)
    ran = models.BigIntegerField(default=0)
    warned = models.BigIntegerField(default=0)
    ended = models.BigIntegerField(null=True)
    evidence = models.JSONField(null=True)
    steps = models.PositiveIntegerField(default=0)
    look_at = models.DateTimeField(null=True, db_index=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["rule", "asset"], name="proof_under_way", condition=Q(phase__in=["waiting", "verifying"])
            ),
        ]

    @property
    def is_open(self) -> bool:
        """Whether telemetry is still asked."""
        return self.phase in UNDER_WAY


def phase_of(task: Task) -> str | None:
    """Return how far the proof of a task's work is, None without one; no query where ``proof`` was selected with it."""
    proof = getattr(task, "proof", None)
    return (proof.phase or None) if proof is not None else None
