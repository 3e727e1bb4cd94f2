"""Tables of telemetry: the log and how far each consumer has read it, hours of readings, and what is derived of them.

Every key of what grows with readings has the lane or the asset in it, nothing points here, and keys are never updated:
so the same tables can be spread over the nodes of a distributed database by asset. Damage and runs are few rows of
their own. ``through`` is the position of the log that a row includes.
"""

from __future__ import annotations

from django.db import models

from techtrack.accounts.domain.access import Access, Role


class Segment(models.Model):
    """One committed batch, packed (see store/encoding/); added in order of position, deleted once all have read it.

    ``first_at`` and ``last_at`` are event times in µs, ``first_asset`` and ``last_asset`` the range of asset
    ids: bounds by which a reader skips a segment without opening it.
    """

    pk = models.CompositePrimaryKey("lane", "position")
    lane = models.SmallIntegerField(default=0)
    position = models.BigIntegerField()
    kind = models.SmallIntegerField()
    origin = models.SmallIntegerField()
    received_at = models.DateTimeField()
    readings = models.IntegerField()
    first_at = models.BigIntegerField()
    last_at = models.BigIntegerField()
    first_asset = models.BigIntegerField()
    last_asset = models.BigIntegerField()
    payload = models.BinaryField()


class LogConsumer(models.Model):
    """How far ``name`` has read a lane; moved by conditional UPDATE, which fences out a second reader.

    ``readings`` is how many of the entry behind ``position`` are done, where one stops in the middle of an entry.
    """

    pk = models.CompositePrimaryKey("name", "lane")
    name = models.CharField(max_length=32)
    lane = models.SmallIntegerField(default=0)
    position = models.BigIntegerField(default=0)
    readings = models.IntegerField(default=0, db_default=0)


class Chunk(models.Model):
    """The readings of an asset in one hour (hours since 1970, UTC), packed without loss of a bit."""

    pk = models.CompositePrimaryKey("asset_id", "hour")
    asset_id = models.BigIntegerField()
    hour = models.IntegerField()
    through = models.BigIntegerField()
    readings = models.IntegerField()
    first_at = models.BigIntegerField()
    last_at = models.BigIntegerField()
    payload = models.BinaryField()


class Rollup(models.Model):
    """The statistics of an asset's hour, a record for each of ``codes`` (space-separated); outlives its chunk."""

    pk = models.CompositePrimaryKey("asset_id", "hour")
    asset_id = models.BigIntegerField()
    hour = models.IntegerField()
    through = models.BigIntegerField()
    codes = models.TextField()
    payload = models.BinaryField()


class DayRollup(models.Model):
    """The statistics of a local day that has closed: made from hours, removed by whoever changes one of them."""

    pk = models.CompositePrimaryKey("asset_id", "start_at")
    asset_id = models.BigIntegerField()
    start_at = models.BigIntegerField()
    end_at = models.BigIntegerField()
    zone = models.CharField(max_length=64)
    codes = models.TextField()
    payload = models.BinaryField()


class Latest(models.Model):
    """The newest value and its time of each parameter of an asset, as far as chunks tell.

    ``first_at`` is the time of its oldest reading, ``corrected_at`` the newest time that a person corrected.
    """

    asset_id = models.BigIntegerField(primary_key=True)
    through = models.BigIntegerField()
    first_at = models.BigIntegerField()
    corrected_at = models.BigIntegerField(null=True)
    codes = models.TextField()
    payload = models.BinaryField()


class QualityMark(models.Model):
    """What was said of a stretch (start <= time < end, µs) of an asset's values; the last word of a person counts.

    Each has a ``position`` of the log for itself; one entry may tell of many.

    ``code`` is empty where all parameters are meant. Earlier marks stay: they are the history. ``flag`` is the code of
    the test that doubted them, empty where a person did; such a mark grows as long as the test goes on doubting.
    """

    pk = models.CompositePrimaryKey("asset_id", "position")
    asset_id = models.BigIntegerField()
    position = models.BigIntegerField()
    code = models.CharField(max_length=64, blank=True)
    start_at = models.BigIntegerField()
    end_at = models.BigIntegerField()
    quality = models.SmallIntegerField()
    flag = models.CharField(max_length=16, blank=True, default="", db_default="")
    reason = models.TextField(blank=True)
    by_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["end_at"], name="mark_of_late"),
            # With both ends, so that those that ended later and begin later are passed over without a look at the row.
            models.Index(fields=["asset_id", "end_at", "start_at"], name="mark_of_asset_by_time"),
        ]


class Forgotten(models.Model):
    """An asset that was deleted, and the position of the log that says so: what arrives of it later is dropped too."""

    asset_id = models.BigIntegerField(primary_key=True)
    position = models.BigIntegerField(db_index=True)


class Correction(models.Model):
    """What a reading said before a person changed it, and who did; ``after`` is null where it was removed."""

    pk = models.CompositePrimaryKey("asset_id", "position")
    asset_id = models.BigIntegerField()
    position = models.BigIntegerField()
    time = models.BigIntegerField()
    before = models.JSONField()
    after = models.JSONField(null=True)
    by_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["asset_id", "time"], name="correction_of_reading")]


class Damage(models.Model):
    """A chunk or segment whose bytes are not what was written: set aside whole, so that the rest goes on.

    ``asset_id`` and ``hour`` tell which chunk it was, ``position`` which segment.
    """

    asset_id = models.BigIntegerField(null=True)
    hour = models.IntegerField(null=True)
    position = models.BigIntegerField(null=True)
    detail = models.TextField()
    payload = models.BinaryField()
    found_at = models.DateTimeField()


class Upkeep(models.Model):
    """How far the upkeep of an asset's hours has come, times in µs.

    Days of ``zone`` are made up to ``days_to``; the next one ends at ``next_at``, and who makes days up to
    ``claimed_to`` said so before reading. ``revision`` rises with each change of an hour before that. Raw readings
    before ``raw_from`` are no longer kept (null: all are).
    """

    asset_id = models.BigIntegerField(primary_key=True)
    zone = models.CharField(max_length=64)
    days_to = models.BigIntegerField()
    next_at = models.BigIntegerField()
    claimed_to = models.BigIntegerField()
    revision = models.BigIntegerField(default=0)
    raw_from = models.BigIntegerField(null=True)


class RunKind(models.TextChoices):
    """What can be run over the whole store."""

    CHECK = "check"
    REBUILD = "rebuild"


class RunState(models.TextChoices):
    """How far a run has come; interrupted: the process that did it ended first."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class StoreRunQuerySet(models.QuerySet["StoreRun"]):
    """Runs are the business of administrators for all sites."""

    def visible_to(self, access: Access) -> StoreRunQuerySet:
        """All, for such an administrator."""
        return self if access.allows(Role.ADMIN, None) else self.none()


class StoreRun(models.Model):
    """A check or a rebuild of the store that somebody asked for, and what it found.

    ``done`` and ``total`` count hours of assets. ``beat_at`` says when its process was last seen at work. ``problems``
    are the first of them, ``found`` is how many there are.
    """

    kind = models.CharField(max_length=8, choices=RunKind.choices)
    state = models.CharField(max_length=12, choices=RunState.choices, default=RunState.WAITING)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0)
    found = models.BigIntegerField(default=0)
    problems = models.JSONField(default=list)
    error = models.TextField(blank=True, default="")
    by_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    beat_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects = StoreRunQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind"],
                condition=models.Q(state__in=["waiting", "running"]),
                name="one_run_of_a_kind_at_a_time",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"
