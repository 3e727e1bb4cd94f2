"""Tables of how assets are used: what meters have counted, and the stretches of time in which assets ran."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from techtrack.accounts.domain.access import Access
from techtrack.assets.models import Asset
from techtrack.core.auditing import Audited
from techtrack.tasks.domain.meters import Meter


class MeterQuerySet(models.QuerySet["AssetMeter"]):
    """Meters as a caller may see them."""

    def visible_to(self, access: Access) -> MeterQuerySet:
        """Of assets that the caller may see."""
        return self.filter(asset__in=Asset.objects.visible_to(access).order_by())


class AssetMeter(models.Model):
    """What a meter has counted of an asset, up to the reading at ``time`` (µs); all plans that ask for it share it.

    ``key`` is its definition as a text. ``days`` holds the total by the end of each of the last days (UTC). ``behind``:
    there are more readings than were counted. ``replaced``: when (µs) other counters were put in, and what they showed,
    the oldest first. What the platform counts nobody is told of, what people say of it is.
    """

    audited: ClassVar[Audited] = Audited()

    asset = models.ForeignKey("assets.Asset", models.CASCADE, related_name="+")
    key = models.CharField(max_length=200)
    kind = models.CharField(max_length=8)
    parameter = models.CharField(max_length=64)
    above = models.FloatField(null=True)
    most_per_day = models.FloatField(null=True)
    total = models.FloatField(default=0.0)
    time = models.BigIntegerField(null=True)
    value = models.FloatField(default=0.0)
    days = models.JSONField(default=dict)
    replaced = models.JSONField(default=list)
    behind = models.BooleanField(default=True)
    steps = models.PositiveIntegerField(default=0)
    look_at = models.DateTimeField(db_index=True)

    objects = MeterQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["asset", "key"], name="one_meter_per_asset_and_key")]

    def audit_site(self) -> int | None:
        """The site of its asset."""
        return self.asset.site_id

    def audit_person(self) -> int | None:
        """It is nobody's."""
        return None

    def audit_personal(self) -> frozenset[str]:
        """It says nothing of anybody."""
        return frozenset()

    @property
    def meter(self) -> Meter:
        """What it counts."""
        return Meter(self.kind, self.parameter, self.above, self.most_per_day)  # type: ignore[arg-type]


class Run(models.Model):
    """An asset ran, start <= time < end (µs); the runs of an asset lie apart."""

    asset = models.ForeignKey("assets.Asset", models.CASCADE, related_name="+")
    start = models.BigIntegerField()
    end = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["asset", "start"], name="one_run_begins_at_once")]
        indexes = [models.Index(fields=["asset", "end"], name="run_end")]


class RunLog(models.Model):
    """From which reading of an asset to which its runs are known (``begins`` and ``time``, µs), and by what sign."""

    asset = models.OneToOneField("assets.Asset", models.CASCADE, primary_key=True, related_name="+")
    key = models.CharField(max_length=200)
    begins = models.BigIntegerField(null=True)
    time = models.BigIntegerField(null=True)
    value = models.FloatField(default=0.0)
    steps = models.PositiveIntegerField(default=0)
    look_at = models.DateTimeField(db_index=True)
