"""Tables of rules and what they were."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BigIntegerField, Exists, Func, OuterRef, Q
from django.db.models.sql.compiler import SQLCompiler

from techtrack.accounts.domain.access import Access
from techtrack.alerts.domain.told import DELAYS, TOLD_AS_KEPT
from techtrack.assets.models import Asset
from techtrack.core.clock import iso_duration
from techtrack.core.models import Versioned


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
    """What to watch: conditions on the assets in scope, with delays and deadband.

    ``conditions`` is a list of ``{kind, …parameters, severity}``, worst first; empty scope fields match all.
    ``parameter`` is blank where the conditions name their own. ``revision`` counts what ``RuleRevision`` keeps.
    """

    name = models.CharField(max_length=200)
    site = models.ForeignKey("accounts.Site", models.CASCADE, null=True, related_name="+")
    asset_type = models.ForeignKey("assets.AssetType", models.PROTECT, null=True, related_name="+")
    assets = models.JSONField(default=list)
    tags = models.JSONField(default=list)
    parameter = models.CharField(max_length=64, blank=True, default="")
    aggregate = models.JSONField(null=True)
    conditions = models.JSONField()
    deadband = models.FloatField(default=0.0)
    on_delay = models.DurationField(default=timedelta(0))
    off_delay = models.DurationField(default=timedelta(0))
    count = models.JSONField(null=True)
    no_data = models.JSONField(null=True)
    late_max_age = models.DurationField(default=timedelta(hours=1))
    schedule = models.JSONField(null=True)
    latched = models.BooleanField(default=False)
    inhibited_by = models.JSONField(default=list)
    reraise_window = models.DurationField(default=timedelta(0))
    escalation = models.JSONField(default=list)
    open_task = models.JSONField(null=True)
    guidance = models.JSONField(default=dict)
    enabled = models.BooleanField(default=True)
    revision = models.PositiveIntegerField(default=1, editable=False)

    objects = RuleQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name

    @property
    def definition(self) -> dict[str, Any]:
        """The rule in the form in which it travels: what revisions keep, and files and the rule lab read."""
        scope = {"site": self.site_id, "asset_type": self.asset_type.slug if self.asset_type else None}
        told = {name: getattr(self, name) for name in TOLD_AS_KEPT}
        delays = {name: iso_duration(getattr(self, name)) for name in DELAYS}
        late = {"max_age": iso_duration(self.late_max_age)}
        return {**told, **delays, "scope": {**scope, "assets": self.assets, "tags": self.tags}, "late_data": late}


class RuleRevision(models.Model):
    """A rule as it was from ``created_at`` on: what an alert that names the revision was judged by. Never changed."""

    rule = models.ForeignKey("alerts.Rule", models.CASCADE, related_name="+")
    number = models.PositiveIntegerField()
    definition = models.JSONField()
    created_at = models.DateTimeField()
    by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["rule", "number"], name="one_revision_per_number")]
