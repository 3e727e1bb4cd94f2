"""How far an import has come, for the console, the API and whoever resumes it."""

from __future__ import annotations

from django.db import models


class ImportRun(models.Model):
    """One file being loaded into the log of readings.

    Batches and ``rows_done`` are committed together, so that a resumed run repeats nothing and misses nothing.
    """

    fingerprint = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=300)
    rows_total = models.BigIntegerField(default=0)
    rows_done = models.BigIntegerField(default=0)
    readings = models.BigIntegerField(default=0)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True, default="")

    def __str__(self) -> str:
        return self.name
