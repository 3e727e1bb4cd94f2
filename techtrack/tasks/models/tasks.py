"""Tasks, and which of them a caller may see."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from techtrack.accounts.domain.access import Access, Role
from techtrack.assets.models import Kind
from techtrack.core.auditing import Audited
from techtrack.core.models import Versioned
from techtrack.tasks.domain.recurrence import LONGEST_RRULE
from techtrack.tasks.models.people import TaskOwner, TaskShare


class Priority(models.IntegerChoices):
    """How much it matters."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    URGENT = 4


class State(models.TextChoices):
    """How far the work has come."""

    OPEN = "open"
    IN_PROGRESS = "in_progress"
    ON_HOLD = "on_hold"
    DONE = "done"
    CANCELLED = "cancelled"


class TaskQuerySet(models.QuerySet["Task"]):
    """Tasks as a caller may see them."""

    def kept(self) -> TaskQuerySet:
        """Those that nobody has deleted."""
        return self.filter(deleted_at=None)

    def whole(self) -> TaskQuerySet:
        """With all that is shown of a task, in a fixed number of queries."""
        return self.select_related("asset", "planned", "proof").prefetch_related("owner_rows", "share_rows")

    def visible_to(self, access: Access) -> TaskQuerySet:
        """Own tasks, shared tasks, and tasks about assets of sites where the caller has a role; none that is deleted.

        A key that is bound to a site or an asset sees tasks about that, whoever made it.
        """
        return self.kept().within_reach(access)

    def deleted_for(self, access: Access) -> TaskQuerySet:
        """Deleted ones that the caller has made or owns, or as an operator where they are nobody's."""
        mine = Q(created_by=access.user_id) | Q(pk__in=TaskOwner.objects.filter(user=access.user_id).values("task"))
        sites = access.sites(Role.OPERATOR)
        there = Q(asset__isnull=False) if sites is None else Q(asset__site__in=sites)
        nobodys = Q(automatic=True) | (Q(created_by=None) & ~Q(pk__in=TaskOwner.objects.values("task")))
        return self.filter(deleted_at__isnull=False).within_reach(access).filter(mine | (there & nobodys))

    def within_reach(self, access: Access) -> TaskQuerySet:
        """The same with those that were deleted."""
        mine = Q(pk__in=TaskOwner.objects.filter(user=access.user_id).values("task"))
        shared = Q(pk__in=TaskShare.objects.filter(user=access.user_id).values("task"))
        sites = access.sites(Role.VIEWER)
        about = Q(asset__isnull=False) if sites is None else Q(asset__site__in=sites)
        rows = self.filter(Q(created_by=access.user_id) | mine | shared | about)
        if access.only_asset is not None:
            rows = rows.filter(asset=access.only_asset)
        return rows if access.only_site is None else rows.filter(asset__site=access.only_site)


class Task(Versioned):
    """One piece of work; about an asset or an alert, or simply somebody's own.

    ``automatic`` where a rule opened it for an alert. ``created_by`` is null then, and once its maker is gone.
    ``recurrence`` is an RFC 5545 rule and ``recurrence_terms`` what surrounds it (``domain/schedule.py``): the task
    that ``follows`` it, the next ``occurrence``, is made when it is done. ``scheduled_for`` is the date that the
    calendar gave it. ``position`` is its place on the board. ``checklist`` and ``reminders`` are in the form of
    ``domain/steps.py`` and ``domain/reminders.py``, ``answers`` by the keys of the steps.
    """

    title = models.CharField(max_length=300)
    description = models.TextField(max_length=20_000, blank=True, default="")
    priority = models.PositiveSmallIntegerField(choices=Priority.choices, default=Priority.MEDIUM)
    state = models.CharField(max_length=12, choices=State.choices, default=State.OPEN)
    category = models.ForeignKey("tasks.Category", models.SET_NULL, null=True, related_name="+")
    start_date = models.DateTimeField(null=True)
    due_date = models.DateTimeField(null=True)
    estimated_seconds = models.PositiveIntegerField(null=True)
    spent_seconds = models.PositiveIntegerField(default=0, editable=False)
    checklist = models.JSONField(default=list)
    answers = models.JSONField(default=dict, editable=False)
    reminders = models.JSONField(default=list)
    recurrence = models.CharField(max_length=LONGEST_RRULE, blank=True, default="")
    recurrence_terms = models.JSONField(default=dict)
    occurrence = models.PositiveIntegerField(default=1, editable=False)
    scheduled_for = models.DateTimeField(null=True, editable=False)
    follows = models.OneToOneField("self", models.SET_NULL, null=True, related_name="+", editable=False)
    position = models.FloatField(default=0.0, editable=False)
    asset = models.ForeignKey("assets.Asset", models.SET_NULL, null=True, related_name="+")
    alert = models.ForeignKey("alerts.Alert", models.SET_NULL, null=True, related_name="+")
    created_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    automatic = models.BooleanField(default=False, editable=False)
    completed_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True, editable=False)
    deleted_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+", editable=False)

    # Who administers does not read what people write for themselves; and they go with a person or an asset in numbers.
    audited = Audited(
        hidden=frozenset({"title", "description", "checklist", "answers"}),
        silent=frozenset({"position", "spent_seconds"}),
        cascades=False,
    )
    objects = TaskQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [
            models.Index(fields=["state", "due_date"], name="task_due"),
            models.Index(fields=["asset"], name="task_asset"),
            models.Index(fields=["created_at", "id"], name="task_created"),
            models.Index(fields=["state", "position"], name="task_board"),
            models.Index(fields=["deleted_at"], condition=Q(deleted_at__isnull=False), name="task_deleted"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["alert"],
                condition=Q(state__in=["open", "in_progress", "on_hold"], automatic=True, deleted_at=None),
                name="one_open_task_per_alert",
            ),
            models.CheckConstraint(
                condition=Q(start_date=None) | Q(due_date=None) | Q(due_date__gte=F("start_date")),
                name="task_due_after_its_start",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def audit_site(self) -> int | None:
        """The site of its asset, if it has one."""
        return self.asset.site_id if self.asset else None

    @property
    def equipment(self) -> int | None:
        """The id of the asset, where it goes by the name of equipment."""
        return self.asset.pk if self.asset and self.asset.kind == Kind.EQUIPMENT else None

    @property
    def sensor(self) -> int | None:
        """The id of the asset, where it goes by the name of sensor."""
        return self.asset.pk if self.asset and self.asset.kind == Kind.SENSOR else None

    @property
    def owners(self) -> list[int]:
        """The ids of those who are to do it; no query where ``owner_rows`` were prefetched."""
        return sorted(row.user_id for row in self.owner_rows.all())

    @property
    def shared_with(self) -> list[TaskShare]:
        """With whom it is shared, and for what; no query where ``share_rows`` were prefetched."""
        return sorted(self.share_rows.all(), key=lambda row: row.user_id)
