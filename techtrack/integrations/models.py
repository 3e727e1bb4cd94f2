"""How far an import has come, for the console, the API and whoever resumes it."""

from __future__ import annotations

from django.db import models

from techtrack.accounts.domain.access import Access, Role


class ImportRunQuerySet(models.QuerySet["ImportRun"]):
    """Imports are the business of administrators for all sites: a file may speak of any asset."""

    def visible_to(self, access: Access) -> ImportRunQuerySet:
        """All, for such an administrator."""
        return self if access.allows(Role.ADMIN, None) else self.none()


class ImportRun(models.Model):
    """One file being loaded into the log of readings.

    Batches and ``rows_done`` are committed together, so that a resumed run repeats nothing and misses nothing.
    ``seconds`` is how long loading them took, without the time between a run that was cut off and the next.
    """

    fingerprint = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=300)
    rows_total = models.BigIntegerField(default=0)
    rows_done = models.BigIntegerField(default=0)
    readings = models.BigIntegerField(default=0)
    seconds = models.FloatField(default=0)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    objects = ImportRunQuerySet.as_manager()

    class Meta:
        ordering = ["-started_at", "-id"]

    def __str__(self) -> str:
        return self.name

    @property
    def rate(self) -> float | None:
        """Rows a second, None before the first batch."""
        return self.rows_done / self.seconds if self.seconds else None
