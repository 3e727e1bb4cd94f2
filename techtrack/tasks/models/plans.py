"""Tables of what brings work again: plans, how far each is at each asset, and the tasks that they brought."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce

from techtrack.accounts.domain.access import Access
from techtrack.alerts.models import AlertEvent
from techtrack.assets.models import Asset, Kind, Status
from techtrack.core.models import Versioned
from techtrack.tasks.domain.workflow import UNFINISHED
from techtrack.tasks.models.proofs import UNDER_WAY
from techtrack.tasks.models.tasks import Priority, Task


class PlanQuerySet(models.QuerySet["Plan"]):
    """Plans as a caller may see them."""

    def visible_to(self, access: Access) -> PlanQuerySet:
        """Plans about assets of the caller's sites, for types there, and for types of no site.

        A key that is bound to one asset sees the plans about it alone: others speak of more.
        """
        sites = access.sites()
        if access.only_asset is not None:
            rows = self.filter(asset=access.only_asset)
            return rows if sites is None else rows.filter(asset__site__in=sites)
        if sites is None:
            return self
        if not sites:
            return self.none()
        return self.filter(Q(asset__site__in=sites) | Q(site__in=sites) | Q(asset=None, site=None))


class Plan(Versioned):
    """What asks for the same work again and again, of one asset or of every asset of a type (at a site, or anywhere).

    ``triggers`` is as ``domain.plans.Plan.parse`` reads it; they count from ``last_done`` on, or else from when the
    plan meets an asset. Of its tasks it says ``title`` (the name, where blank), ``description``, ``priority``, how long
    they take, and the ``checklist``.
    """

    name = models.CharField(max_length=200)
    title = models.CharField(max_length=300, blank=True, default="")
    description = models.TextField(max_length=20_000, blank=True, default="")
    priority = models.PositiveSmallIntegerField(choices=Priority.choices, default=Priority.MEDIUM)
    estimated_seconds = models.PositiveIntegerField(null=True)
    checklist = models.JSONField(default=list)
    asset = models.ForeignKey("assets.Asset", models.CASCADE, null=True, related_name="+")
    asset_type = models.ForeignKey("assets.AssetType", models.PROTECT, null=True, related_name="+")
    site = models.ForeignKey("accounts.Site", models.CASCADE, null=True, related_name="+")
    triggers = models.JSONField()
    last_done = models.DateTimeField(null=True)
    enabled = models.BooleanField(default=True)

    objects = PlanQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(asset__isnull=False, asset_type=None, site=None) | Q(asset=None, asset_type__isnull=False),
                name="plan_of_an_asset_or_a_type",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def audit_site(self) -> int | None:
        """Where it asks for work."""
        return self.asset.site_id if self.asset else self.site_id

    @property
    def equipment(self) -> int | None:
        """The id of the asset, where it goes by the name of equipment."""
        return self.asset_id if self.asset and self.asset.kind == Kind.EQUIPMENT else None

    @property
    def sensor(self) -> int | None:
        """The id of the asset, where it goes by the name of sensor."""
        return self.asset_id if self.asset and self.asset.kind == Kind.SENSOR else None

    @property
    def owners(self) -> list[int]:
        """The ids of those who are to do it; no query where ``owner_rows`` were prefetched."""
        return sorted(row.user_id for row in self.owner_rows.all())


class PlanOwner(models.Model):
    """Who is to do the tasks of a plan."""

    plan = models.ForeignKey("tasks.Plan", models.CASCADE, related_name="owner_rows")
    user = models.ForeignKey("accounts.User", models.CASCADE, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["plan", "user"], name="owner_once_per_plan")]


class PlanRule(models.Model):
    """A rule whose alerts ask for a task of the plan; ``triggers`` names it as well."""

    plan = models.ForeignKey("tasks.Plan", models.CASCADE, related_name="rule_rows")
    rule = models.ForeignKey("alerts.Rule", models.CASCADE, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["plan", "rule"], name="rule_once_per_plan")]


REST = timedelta(seconds=10)


class CourseQuerySet(models.QuerySet["Course"]):
    """Courses as a caller, or the planner, asks for them."""

    def visible_to(self, access: Access) -> CourseQuerySet:
        """Of assets that the caller may see."""
        return self.filter(asset__in=Asset.objects.visible_to(access).order_by())

    def waiting(self, now: datetime) -> CourseQuerySet:
        """Those to be looked at: their time has come, their task is finished, or an alert asks.

        For the latter two not at once again: of a plan that cannot be read, looking changes nothing.
        """
        ruled = Q(plan__in=PlanRule.objects.values("plan"))
        mine = AlertEvent.objects.filter(
            alert__asset=models.OuterRef("asset"), alert__rule__in=_rules_of(models.OuterRef("plan"))
        )
        since = Coalesce(models.OuterRef("closed"), models.OuterRef("begun_at"))
        raised = models.Exists(asking(mine).filter(recorded_at__gt=since))
        asked = ruled & Q(raised, ~Q(asset__status=Status.RETIRED), task=None)
        proven = Q(task__proof=None) | ~Q(task__proof__phase__in=UNDER_WAY)
        closed = Q(task__deleted_at__isnull=False) | (proven & ~Q(task__state__in=UNFINISHED))
        finished = Q(task__isnull=False) & closed
        rested = Q(looked_at=None) | Q(looked_at__lte=now - REST)
        return self.filter(Q(look_at__lte=now) | (rested & (finished | asked)), plan__enabled=True)


def asking(happened: models.QuerySet[AlertEvent]) -> models.QuerySet[AlertEvent]:
    """Keep the raising of alerts that ask for work: not of those that something explains or puts aside, nor late ones.

    By when it was recorded they are compared with the work of people, which has wall time.
    """
    return happened.filter(
        kind="raised",
        alert__late=False,
        alert__suppressed_by="",
        alert__shelved_until=None,
        alert__out_of_service_until=None,
    )


def _rules_of(plan: models.OuterRef) -> models.QuerySet[PlanRule, int]:
    # One level further out than the subquery that asks.
    return PlanRule.objects.filter(plan=models.OuterRef(plan)).values_list("rule", flat=True)


class Course(models.Model):
    """How far a plan is at one asset; written by the planner, each time with the next number of ``steps``.

    ``task`` is the one that it waits for, None while none is unfinished. ``settled``, ``closed`` and ``made`` are those
    of ``domain.schedule.History``; ``bases`` are what meters, by id, showed when the last task was closed. What comes
    first is told by ``due`` to ``detail``, all of it by ``outlooks``.
    """

    plan = models.ForeignKey("tasks.Plan", models.CASCADE, related_name="+")
    asset = models.ForeignKey("assets.Asset", models.CASCADE, related_name="+")
    task = models.ForeignKey("tasks.Task", models.SET_NULL, null=True, related_name="+")
    begun_at = models.DateTimeField()
    settled = models.DateTimeField()
    closed = models.DateTimeField(null=True)
    made = models.PositiveIntegerField(default=0)
    bases = models.JSONField(default=dict)
    due = models.DateTimeField(null=True)
    opens = models.DateTimeField(null=True)
    kind = models.CharField(max_length=12, blank=True, default="")
    reason = models.CharField(max_length=24, blank=True, default="")
    detail = models.CharField(max_length=500, blank=True, default="")
    outlooks = models.JSONField(default=list)
    steps = models.PositiveIntegerField(default=0)
    look_at = models.DateTimeField(db_index=True)
    looked_at = models.DateTimeField(null=True)

    objects = CourseQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["plan", "asset"], name="one_course_of_a_plan_per_asset")]
        indexes = [models.Index(fields=["plan", "due"], name="course_due")]


class PlannedTask(models.Model):
    """That a task was brought by a plan: when it was due then, for what reason, and how late is still in time.

    ``asset`` as well, since a task may be moved to another one, and plans are kept where they were made.
    """

    task = models.OneToOneField("tasks.Task", models.CASCADE, primary_key=True, related_name="planned")
    plan = models.ForeignKey("tasks.Plan", models.SET_NULL, null=True, related_name="+")
    asset = models.ForeignKey("assets.Asset", models.CASCADE, related_name="+")
    kind = models.CharField(max_length=12)
    reason = models.CharField(max_length=24)
    detail = models.CharField(max_length=500)
    due = models.DateTimeField()
    grace = models.DurationField()

    class Meta:
        indexes = [models.Index(fields=["asset", "due"], name="planned_due")]


def planned_of(task: Task) -> int | None:
    """Return the id of the plan that brought a task; no query where ``planned`` was selected with it."""
    planned = getattr(task, "planned", None)
    return planned.plan_id if planned is not None else None
