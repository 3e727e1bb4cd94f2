"""What meters showed when technicians last read them."""

from __future__ import annotations

from django.db import models


class MeterAnswer(models.Model):
    """What a meter of an asset showed when a step of a checklist asked for it; the step's ``key`` names the meter.

    It outlives its task: the next reading is compared with it.
    """

    asset = models.ForeignKey("assets.Asset", models.CASCADE, related_name="+")
    key = models.CharField(max_length=64)
    value = models.FloatField()
    at = models.DateTimeField()
    task = models.ForeignKey("tasks.Task", models.SET_NULL, null=True, related_name="+")

    class Meta:
        indexes = [models.Index(fields=["asset", "key", "-at"], name="meter_last")]
        constraints = [models.UniqueConstraint(fields=["task", "key"], name="meter_once_per_task")]
