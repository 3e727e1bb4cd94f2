"""Imports and how far they have come; units that push by their own firmware, and what was refused of them."""

from __future__ import annotations

from django.db import models

from techtrack.accounts.domain.access import Access, Role
from techtrack.core.models import Versioned


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


class Door(models.TextChoices):
    """The firmwares that are spoken here."""

    SENSOR_COMMUNITY = "sensor_community"
    AIRGRADIENT = "airgradient"


class PushUnitQuerySet(models.QuerySet["PushUnit"]):
    """Units as a caller may see them."""

    def visible_to(self, access: Access, role: Role = Role.ENGINEER) -> PushUnitQuerySet:
        """Those that are bound to sensors of sites where the caller has ``role``; none for a key of one asset."""
        if access.only_asset is not None:
            return self.none()
        sites = access.sites(role)
        return self if sites is None else self.filter(sensor__site__in=sites)


class PushUnit(Versioned):
    """A unit whose firmware knows no assets: the id that it sends is bound to the sensor whose readings it brings.

    ``pin`` tells apart the parts of one unit that are bound to different sensors; empty: all that no other row names.
    Who is ``anonymous`` needs no key, from ``allowed_addresses`` (empty: from anywhere); ``settings`` are what the
    unit is given where it asks for its own.
    """

    door = models.CharField(max_length=20, choices=Door.choices)
    unit_id = models.CharField(max_length=100)
    pin = models.CharField(max_length=10, blank=True, default="")
    sensor = models.ForeignKey("assets.Asset", models.CASCADE, related_name="+")
    anonymous = models.BooleanField(default=False)
    allowed_addresses = models.JSONField(default=list)
    settings = models.JSONField(default=dict)

    objects = PushUnitQuerySet.as_manager()

    class Meta:
        ordering = ["door", "unit_id", "pin"]
        constraints = [models.UniqueConstraint(fields=["door", "unit_id", "pin"], name="push_unit_once")]

    def __str__(self) -> str:
        return f"{self.door} {self.unit_id}"

    def audit_site(self) -> int | None:
        """The site of its sensor."""
        return self.sensor.site_id


class RejectedPushQuerySet(models.QuerySet["RejectedPush"]):
    """What was refused, for whoever can mend it."""

    def visible_to(self, access: Access) -> RejectedPushQuerySet:
        """What units of the caller's sites sent, for engineers there; of unknown units, for engineers for all sites."""
        if access.only_asset is not None:
            return self.none()
        sites = access.sites(Role.ENGINEER)
        return self if sites is None else self.filter(sensor__site__in=sites)


class RejectedPush(models.Model):
    """A kind of fault of one unit: how often it was met, and the body in which it was met last, cut to a few KB.

    ``sensor`` is that to which the unit is bound, also where it was refused for what it showed; None: nobody knows it.
    """

    door = models.CharField(max_length=20, choices=Door.choices)
    unit_id = models.CharField(max_length=100, blank=True)
    code = models.CharField(max_length=64)
    sensor = models.ForeignKey("assets.Asset", models.CASCADE, null=True, related_name="+")
    detail = models.TextField()
    payload = models.TextField(blank=True)
    size = models.PositiveIntegerField()
    address = models.CharField(max_length=64, blank=True, default="")
    count = models.PositiveIntegerField(default=1)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField(db_index=True)

    objects = RejectedPushQuerySet.as_manager()

    class Meta:
        ordering = ["-last_at", "-id"]
        constraints = [
            # By sensor as well: what a stranger sends under a unit's id takes no row from whoever is to see it.
            models.UniqueConstraint(fields=["door", "unit_id", "code", "sensor"], name="rejected_push_once"),
            models.UniqueConstraint(
                fields=["door", "unit_id", "code"], condition=models.Q(sensor=None), name="rejected_stranger_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.door} {self.unit_id}: {self.code}"


class NumberedSeries(models.Model):
    """The number by which a series goes at doors whose clients know numbers of 31 bits alone (OpenAQ's sensors)."""

    asset = models.ForeignKey("assets.Asset", models.CASCADE, related_name="+")
    code = models.CharField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["asset", "code"], name="series_number_once")]

    def __str__(self) -> str:
        return f"{self.asset_id} {self.code}"
