"""Tables of work for people."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from techtrack.accounts.domain.access import Access, Role
from techtrack.assets.models import Kind
from techtrack.core.auditing import Audited
from techtrack.core.models import Versioned


class CategoryQuerySet(models.QuerySet["Category"]):
    """Categories are personal."""

    def visible_to(self, access: Access) -> CategoryQuerySet:
        """The caller's own."""
        return self.filter(owner=access.user_id)


class Category(Versioned):
    """A person's own drawer for tasks."""

    owner = models.ForeignKey("accounts.User", models.CASCADE, related_name="+")
    name = models.CharField(max_length=100)
    colour = models.CharField(max_length=7, blank=True, default="")

    # A person's own words.
    audited = Audited(hidden=frozenset({"name"}))
    objects = CategoryQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]
        verbose_name_plural = "categories"
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="category_once_per_owner")]

    def __str__(self) -> str:
        return self.name


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

    def visible_to(self, access: Access) -> TaskQuerySet:
        """Own tasks, shared tasks, and tasks about assets of sites where the caller has a role.

        A key that is bound to a site or an asset sees tasks about that, whoever made it.
        """
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
    """

    title = models.CharField(max_length=300)
    description = models.TextField(max_length=20_000, blank=True, default="")
    priority = models.PositiveSmallIntegerField(choices=Priority.choices, default=Priority.MEDIUM)
    state = models.CharField(max_length=12, choices=State.choices, default=State.OPEN)
    category = models.ForeignKey("tasks.Category", models.SET_NULL, null=True, related_name="+")
    due_date = models.DateTimeField(null=True)
    asset = models.ForeignKey("assets.Asset", models.SET_NULL, null=True, related_name="+")
    alert = models.ForeignKey("alerts.Alert", models.SET_NULL, null=True, related_name="+")
    created_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+")
    automatic = models.BooleanField(default=False, editable=False)
    completed_at = models.DateTimeField(null=True)

    # Who administers does not read what people write for themselves; and they go with a person or an asset in numbers.
    audited = Audited(hidden=frozenset({"title", "description"}), cascades=False)
    objects = TaskQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [
            models.Index(fields=["state", "due_date"], name="task_due"),
            models.Index(fields=["asset"], name="task_asset"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["alert"],
                condition=Q(state__in=["open", "in_progress", "on_hold"], automatic=True),
                name="one_open_task_per_alert",
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


class TaskOwner(models.Model):
    """Who is to do it."""

    task = models.ForeignKey("tasks.Task", models.CASCADE, related_name="owner_rows")
    user = models.ForeignKey("accounts.User", models.CASCADE, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "user"], name="owner_once_per_task")]


class Level(models.TextChoices):
    """What a task is shared for; each level includes the ones before it."""

    READ = "read"
    COMMENT = "comment"
    WRITE = "write"


class TaskShare(models.Model):
    """Who else may see it, and how much of it they may touch."""

    task = models.ForeignKey("tasks.Task", models.CASCADE, related_name="share_rows")
    user = models.ForeignKey("accounts.User", models.CASCADE, related_name="+")
    level = models.CharField(max_length=8, choices=Level.choices, default=Level.READ)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "user"], name="share_once_per_task")]
