"""Table of when assets were out of work."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from techtrack.accounts.domain.access import Access, Role
from techtrack.assets.models import Asset, Kind
from techtrack.core.models import Versioned


class DowntimeQuerySet(models.QuerySet["Downtime"]):
    """Down times as a caller may see them."""

    def visible_to(self, access: Access) -> DowntimeQuerySet:
        """Of assets that the caller may see."""
        return self.filter(asset__in=Asset.objects.visible_to(access, Role.VIEWER).order_by())


class Downtime(Versioned):
    """An asset was out of work from ``starts_at`` on; without ``ends_at`` it still is. A planned one is no failure."""

    asset = models.ForeignKey("assets.Asset", models.CASCADE, related_name="+")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)
    planned = models.BooleanField(default=False)
    reason = models.TextField(max_length=2000, blank=True, default="")
    task = models.ForeignKey("tasks.Task", models.SET_NULL, null=True, related_name="+")
    created_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")

    objects = DowntimeQuerySet.as_manager()

    class Meta:
        ordering = ["-starts_at", "-pk"]
        indexes = [models.Index(fields=["asset", "starts_at"], name="downtime_of_asset")]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gt=F("starts_at")), name="downtime_ends_after_it_starts"
            ),
            models.UniqueConstraint(
                fields=["asset", "planned"], condition=Q(ends_at=None), name="one_open_downtime_of_a_kind"
            ),
        ]

    def __str__(self) -> str:
        return self.reason or "Down time"

    def audit_site(self) -> int | None:
        """The site of its asset."""
        return self.asset.site_id

    @property
    def equipment(self) -> int | None:
        """The id of the asset, where it goes by the name of equipment."""
        return self.asset_id if self.asset.kind == Kind.EQUIPMENT else None

    @property
    def sensor(self) -> int | None:
        """The id of the asset, where it goes by the name of sensor."""
        return self.asset_id if self.asset.kind == Kind.SENSOR else None
