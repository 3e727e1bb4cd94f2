"""Tables of reports: what was found of a site and a period, and who has signed it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from techtrack.accounts.domain.access import Access
from techtrack.core.auditing import Audited
from techtrack.core.models import Versioned


class State(models.TextChoices):
    """A preliminary report can be drawn up anew; a signed one is kept as it is."""

    PRELIMINARY = "preliminary"
    SIGNED = "signed"


class AirReportQuerySet(models.QuerySet["AirReport"]):
    """Reports as a caller may see them."""

    def visible_to(self, access: Access) -> AirReportQuerySet:
        """Those of sites where the caller has a role; whoever sees one asset alone sees none."""
        if access.only_asset is not None:
            return self.none()
        sites = access.sites()
        return self if sites is None else self.filter(site__in=sites)


class AirReport(Versioned):
    """The air of a site in a month or a year: captured data, indices, exceedances.

    ``period`` is ``2016`` or ``2016-03``; ``limits`` and ``standard`` name what it is held against. ``checksum`` is of
    the canonical bytes of ``content``. A signed one never changes; it keeps the site from being deleted.
    """

    # What it says is long, and is kept with it; its checksum is told. People are numbers in the log.
    audited = Audited(silent=frozenset({"content"}), hidden=frozenset({"signer"}))

    site = models.ForeignKey("accounts.Site", models.PROTECT, related_name="+")
    period = models.CharField(max_length=7)
    limits = models.CharField(max_length=64)
    standard = models.CharField(max_length=64)
    state = models.CharField(max_length=11, choices=State.choices, default=State.PRELIMINARY)
    content = models.JSONField()
    checksum = models.CharField(max_length=64)
    drawn_up_at = models.DateTimeField()
    drawn_up_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    signed_at = models.DateTimeField(null=True)
    signed_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    signer = models.CharField(max_length=300, blank=True, default="")

    objects = AirReportQuerySet.as_manager()

    class Meta:
        ordering = ["-period", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["site", "period", "limits", "standard"],
                condition=Q(state="preliminary"),
                name="one_preliminary_report",
            ),
            models.CheckConstraint(
                condition=Q(state="preliminary", signed_at=None) | Q(state="signed", signed_at__isnull=False),
                name="signed_report_says_when",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.period} of site {self.site_id}"
