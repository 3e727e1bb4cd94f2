"""Tables of rules, alerts and what happened to them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BigIntegerField, Exists, Func, OuterRef, Q
from django.db.models.sql.compiler import SQLCompiler

from techtrack.accounts.domain.access import Access, Role
from techtrack.alerts.domain.condition import SEVERITIES
from techtrack.assets.models import Asset
from techtrack.core.models import Versioned

STATES = ["unacknowledged", "acknowledged", "returned_unacknowledged", "normal"]
STATUSES = [
    "active_unacknowledged",
    "active_acknowledged",
    "cleared_unacknowledged",
    "cleared_acknowledged",
]


class RuleQuerySet(models.QuerySet["Rule"]):
    """Rules as a caller may see them."""

    def visible_to(self, access: Access) -> RuleQuerySet:
        """Rules of the caller's sites, and rules without a site that name no asset elsewhere.

        A key bound to one asset sees none: a rule speaks of more than that.
        """
        sites = access.sites()
        if access.only_asset is not None or sites == frozenset():
            return self.none()
        if sites is None:
            return self
        elsewhere = Asset.objects.exclude(site__in=sites).filter(pk__in=_Members(OuterRef("assets")))
        return self.filter(Q(site__in=sites) | Q(Q(site=None), ~Exists(elsewhere)))


class _Members(Func):
    """The numbers in a JSON list, as a subquery; each database asked in its own words."""

    output_field = BigIntegerField()

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="(SELECT value FROM json_each(%(expressions)s))", **context)

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> Any:
        template = "(SELECT value::bigint FROM jsonb_array_elements_text(%(expressions)s))"
        return self.as_sql(compiler, connection, template=template, **context)


class Rule(Versioned):
    """What to watch: conditions on one parameter of the assets in scope, with delays and deadband.

    ``conditions`` is a list of ``{kind, …parameters, severity}``, worst first; empty scope fields match all.
    """

    name = models.CharField(max_length=200)
    site = models.ForeignKey("accounts.Site", models.CASCADE, null=True, related_name="+")
    asset_type = models.ForeignKey("assets.AssetType", models.PROTECT, null=True, related_name="+")
    assets = models.JSONField(default=list)
    tags = models.JSONField(default=list)
    parameter = models.CharField(max_length=64)
    conditions = models.JSONField()
    deadband = models.FloatField(default=0.0)
    on_delay = models.DurationField(default=timedelta(0))
    off_delay = models.DurationField(default=timedelta(0))
    open_task = models.JSONField(null=True)
    guidance = models.JSONField(default=dict)
    enabled = models.BooleanField(default=True)

    objects = RuleQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name


class AlertQuerySet(models.QuerySet["Alert"]):
    """Alerts as a caller may see them."""

    def visible_to(self, access: Access, role: Role = Role.VIEWER) -> AlertQuerySet:
        """Alerts of assets that the caller may see."""
        sites = access.sites(role)
        rows = self if sites is None else self.filter(asset__site__in=sites)
        return rows if access.only_asset is None else rows.filter(asset=access.only_asset)


class Alert(Versioned):
    """One episode in which a rule's condition held, or which a person reported (``rule`` null).

    ``is_open`` until the condition has returned *and* somebody acknowledged; one open alert per identity.
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
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def state(self) -> str:
        """The one word for the facts (ALARMS model: state is derived, never stored)."""
        if self.active:
            return "acknowledged" if self.acknowledged_at else "unacknowledged"
        return "normal" if self.acknowledged_at else "returned_unacknowledged"

    @property
    def status(self) -> str:
        """The same facts in the older four words."""
        first = "active" if self.active else "cleared"
        return f"{first}_{'acknowledged' if self.acknowledged_at else 'unacknowledged'}"


class AlertEvent(models.Model):
    """Something that happened to an alert; only ever added. ``at`` is event time, ``recorded_at`` wall time."""

    alert = models.ForeignKey("alerts.Alert", models.CASCADE, related_name="events")
    at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    kind = models.CharField(max_length=24)
    actor = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    comment = models.TextField(blank=True, default="")
    evidence = models.JSONField(default=dict)

    class Meta:
        ordering = ["pk"]


class RuleState(models.Model):
    """Where (rule, asset) stands in its lifecycle; written only when that changes, with the judge's cursor.

    Times are event times in µs. ``clause`` is the index of the condition that holds, ``lag`` how late (µs) its
    samples arrived.
    """

    rule = models.ForeignKey("alerts.Rule", models.CASCADE, related_name="+")
    asset = models.ForeignKey("assets.Asset", models.CASCADE, related_name="+")
    phase = models.CharField(max_length=12)
    since = models.BigIntegerField()
    seen = models.BigIntegerField()
    clause = models.SmallIntegerField(null=True)
    value = models.FloatField(null=True)
    lag = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["rule", "asset"], name="one_state_per_rule_and_asset")]


class JudgeMemory(models.Model):
    """What the judge had seen of each series at a position of the log: a blob, saved now and then."""

    name = models.CharField(max_length=32, primary_key=True)
    position = models.BigIntegerField()
    seen = models.BinaryField()
