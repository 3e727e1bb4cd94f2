"""Tables of alerts and what happened to them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from techtrack.accounts.domain.access import Access, Role
from techtrack.alerts.domain.condition import SEVERITIES
from techtrack.core.auditing import Audited
from techtrack.core.models import Versioned

# From what hides an alert to what it is (ALARMS model: derived of facts, never stored).
STATES = [
    "out_of_service",
    "shelved",
    "suppressed",
    "unacknowledged",
    "acknowledged",
    "latched",
    "returned_unacknowledged",
    "normal",
]
STATUSES = [
    "active_unacknowledged",
    "active_acknowledged",
    "cleared_unacknowledged",
    "cleared_acknowledged",
]


class AlertQuerySet(models.QuerySet["Alert"]):
    """Alerts as a caller may see them."""

    def visible_to(self, access: Access, role: Role = Role.VIEWER) -> AlertQuerySet:
        """Alerts of assets that the caller may see."""
        sites = access.sites(role)
        rows = self if sites is None else self.filter(asset__site__in=sites)
        return rows if access.only_asset is None else rows.filter(asset=access.only_asset)


class Alert(Versioned):
    """One episode in which a rule's condition held, or which a person reported (``rule`` null).

    ``is_open`` until the condition has returned *and* somebody acknowledged (and reset it, if the rule latches);
    one open alert per identity. ``revision`` is the rule's that raised it, ``condition`` the kind that held.
    ``suppressed_by`` says by what it is hidden: ``rule:4``, ``alert:7``, ``task:12``, ``silence:3``, ``flood``.
    ``late``: an episode that was found in late data and was over when it was found.
    """

    rule = models.ForeignKey("alerts.Rule", models.SET_NULL, null=True, related_name="+")
    asset = models.ForeignKey("assets.Asset", models.CASCADE, related_name="+")
    parameter = models.CharField(max_length=64, blank=True, default="")
    severity = models.CharField(max_length=8, choices=[(name, name) for name in SEVERITIES])
    title = models.CharField(max_length=300)
    description = models.TextField(max_length=10_000, blank=True, default="")
    active = models.BooleanField(default=True)
    is_open = models.BooleanField(default=True)
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    ack_comment = models.TextField(max_length=2000, blank=True, default="")
    assignee = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    occurrences = models.PositiveIntegerField(default=1)
    value = models.FloatField(null=True)
    limit = models.FloatField(null=True)
    raised_at = models.DateTimeField()
    returned_at = models.DateTimeField(null=True)
    revision = models.PositiveIntegerField(null=True)
    condition = models.CharField(max_length=32, blank=True, default="")
    late = models.BooleanField(default=False)
    latched = models.BooleanField(default=False)
    shelved_until = models.DateTimeField(null=True)
    shelved_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    shelve_reason = models.TextField(max_length=2000, blank=True, default="")
    out_of_service_until = models.DateTimeField(null=True)
    out_of_service_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    out_of_service_reason = models.TextField(max_length=2000, blank=True, default="")
    suppressed_by = models.CharField(max_length=64, blank=True, default="")
    escalates_at = models.DateTimeField(null=True)

    # Alerts come, and go with their assets, in numbers, and what people do with them is told by AlertEvent.
    audited = Audited(creation=False, cascades=False)
    objects = AlertQuerySet.as_manager()

    class Meta:
        ordering = ["-raised_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "asset", "parameter"],
                condition=Q(is_open=True, rule__isnull=False),
                name="one_open_alert_per_identity",
            ),
        ]
        indexes = [
            models.Index(fields=["is_open", "-raised_at"], name="alert_open"),
            models.Index(fields=["asset", "-raised_at"], name="alert_asset"),
            models.Index(fields=["rule", "asset", "-raised_at"], name="alert_identity"),
            # What an asset's health and what explains others are asked of; what is to be looked at again.
            models.Index(fields=["asset"], name="alert_active", condition=Q(active=True) | Q(latched=True)),
            models.Index(fields=["suppressed_by"], name="alert_hidden", condition=~Q(suppressed_by="")),
            # What ends by itself, found by time.
            models.Index(fields=["shelved_until"], name="alert_shelved", condition=Q(shelved_until__isnull=False)),
            models.Index(
                fields=["out_of_service_until"],
                name="alert_out_of_service",
                condition=Q(out_of_service_until__isnull=False),
            ),
            models.Index(fields=["escalates_at"], name="alert_escalates", condition=Q(escalates_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.title

    def audit_site(self) -> int | None:
        """The site of its asset."""
        return self.asset.site_id

    @property
    def state(self) -> str:
        """The one word for the facts (ALARMS model: state is derived, never stored)."""
        if self.out_of_service_until:
            return "out_of_service"
        if self.shelved_until:
            return "shelved"
        if self.suppressed_by:
            return "suppressed"
        if self.active:
            return "acknowledged" if self.acknowledged_at else "unacknowledged"
        if self.latched:
            return "latched"
        return "normal" if self.acknowledged_at or not self.is_open else "returned_unacknowledged"

    @property
    def hidden(self) -> bool:
        """Whether people are not to be told of it: put aside by somebody, explained by something, or over long ago."""
        return bool(self.shelved_until or self.suppressed_by or self.out_of_service_until or self.late)

    @property
    def status(self) -> str:
        """The same facts in the older four words."""
        first = "active" if self.active else "cleared"
        return f"{first}_{'acknowledged' if self.acknowledged_at else 'unacknowledged'}"


class AlertEvent(models.Model):
    """Something that happened to an alert; only ever added. ``at`` is event time, ``recorded_at`` wall time.

    ``before`` and ``after`` are states. ``position`` says after which entry of the log of readings the judge found it.
    """

    alert = models.ForeignKey("alerts.Alert", models.CASCADE, related_name="events")
    at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    kind = models.CharField(max_length=24)
    actor = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    before = models.CharField(max_length=24, blank=True, default="")
    after = models.CharField(max_length=24, blank=True, default="")
    comment = models.TextField(blank=True, default="")
    evidence = models.JSONField(default=dict)
    position = models.BigIntegerField(null=True)

    class Meta:
        ordering = ["pk"]
        # What happened in a time, for key figures.
        indexes = [models.Index(fields=["at", "kind"], name="alert_event_at")]
