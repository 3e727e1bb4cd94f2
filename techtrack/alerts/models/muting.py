"""Tables of what hides alerts: suppressions by work, silences and maintenance windows."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from techtrack.accounts.domain.access import Access
from techtrack.core.models import Versioned


class Suppression(models.Model):
    """Until when alerts of an asset are explained by something: ``by`` is such as ``task:12``."""

    asset = models.ForeignKey("assets.Asset", models.CASCADE, related_name="+")
    by = models.CharField(max_length=64)
    starts_at = models.DateTimeField()
    until = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["asset", "by"], name="one_suppression_by_each")]


class SilenceQuerySet(models.QuerySet["Silence"]):
    """Silences as a caller may see them."""

    def visible_to(self, access: Access) -> SilenceQuerySet:
        """Silences of the caller's sites, and those of no site."""
        sites = access.sites()
        if access.only_asset is not None or sites == frozenset():
            return self.none()
        return self if sites is None else self.filter(Q(site__in=sites) | Q(site=None))


class Silence(Versioned):
    """When alerts that match are suppressed: once, or again and again (RFC 5545 ``rrule`` in ``timezone``).

    ``matchers`` narrow by ``assets, asset_type, tags, severities, rules, parameter``; what is not set matches all.
    Without an ``rrule`` it lasts from ``starts_at`` to ``ends_at``; with one, each occurrence lasts ``duration`` and
    ``ends_at`` (or nothing) bounds them. ``kind``: maintenance windows are planned work, silences are quiet.
    """

    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=12, choices=[(k, k) for k in ("silence", "maintenance")], default="silence")
    site = models.ForeignKey("accounts.Site", models.CASCADE, null=True, related_name="+")
    matchers = models.JSONField(default=dict)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)
    rrule = models.CharField(max_length=500, blank=True, default="")
    duration = models.DurationField(null=True)
    timezone = models.CharField(max_length=64, default="UTC")
    reason = models.TextField(max_length=2000, blank=True, default="")
    by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")

    objects = SilenceQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name
