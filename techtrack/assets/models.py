"""Tables of the monitored things. Equipment and Sensor are two names for one table."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from techtrack.accounts.domain.access import Access, Role
from techtrack.core.models import Versioned


class ParameterQuerySet(models.QuerySet["Parameter"]):
    """Parameters are no secret: whoever has a role anywhere may read them."""

    def visible_to(self, access: Access) -> ParameterQuerySet:
        """All, for anybody with a role."""
        return self if access.everywhere or access.at else self.none()


class Parameter(Versioned):
    """What is measured: a code, a UCUM unit and, for states, labels of values."""

    code = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=200, blank=True, default="")
    unit = models.CharField(max_length=40, blank=True, default="")
    precision = models.PositiveSmallIntegerField(null=True)
    labels = models.JSONField(default=dict)

    objects = ParameterQuerySet.as_manager()

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return self.code


class AssetTypeQuerySet(models.QuerySet["AssetType"]):
    """Types are no secret: whoever has a role anywhere may read them."""

    def visible_to(self, access: Access) -> AssetTypeQuerySet:
        """All, for anybody with a role."""
        return self if access.everywhere or access.at else self.none()


class AssetType(Versioned):
    """A kind of asset: the parameters it emits, how often, and how long raw readings are kept.

    ``parameters`` is a list of ``{code, unit, minimum, maximum, label}``; ``strict`` refuses codes outside it.
    ``running`` says by what one sees that one runs, as ``RunningSign`` reads it; None: whenever it sends.
    """

    slug = models.SlugField(max_length=64, unique=True)
    name = models.CharField(max_length=200)
    parameters = models.JSONField(default=list)
    strict = models.BooleanField(default=False)
    expected_interval = models.DurationField(null=True)
    retention = models.DurationField(null=True)
    running = models.JSONField(null=True)

    objects = AssetTypeQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name


class Kind(models.TextChoices):
    """The two names of an asset."""

    EQUIPMENT = "equipment"
    SENSOR = "sensor"


class Status(models.TextChoices):
    """What people say of an asset; what telemetry says is its health."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    MAINTENANCE = "maintenance"
    FAULTY = "faulty"
    RETIRED = "retired"


class AssetQuerySet(models.QuerySet["Asset"]):
    """Assets as a caller may see them."""

    def visible_to(self, access: Access, role: Role = Role.VIEWER) -> AssetQuerySet:
        """Assets of sites where the caller has ``role``; a key bound to one asset sees that one."""
        sites = access.sites(role)
        rows = self if sites is None else self.filter(site__in=sites)
        return rows if access.only_asset is None else rows.filter(pk=access.only_asset)


class Asset(Versioned):
    """A monitored thing at a site; ``key`` is the tag by which a gateway knows it."""

    kind = models.CharField(max_length=12, choices=Kind.choices)
    key = models.CharField(max_length=200, unique=True, null=True)
    name = models.CharField(max_length=200)
    type = models.ForeignKey("assets.AssetType", models.PROTECT, null=True, related_name="+")
    model = models.CharField(max_length=200, blank=True, default="")
    serial_number = models.CharField(max_length=200, blank=True, default="")
    manufacturer = models.CharField(max_length=200, blank=True, default="")
    installation_date = models.DateField(null=True)
    description = models.TextField(max_length=10_000, blank=True, default="")
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.ACTIVE)
    site = models.ForeignKey("accounts.Site", models.PROTECT, null=True, related_name="+")
    parent = models.ForeignKey("self", models.PROTECT, null=True, related_name="+")
    latitude = models.FloatField(null=True)
    longitude = models.FloatField(null=True)
    attributes = models.JSONField(default=dict)
    expected_interval = models.DurationField(null=True)
    tags = models.JSONField(default=list)

    objects = AssetQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]
        indexes = [
            models.Index(fields=["kind", "name", "id"], name="asset_list"),
            models.Index(fields=["site", "kind"], name="asset_site"),
            models.Index(fields=["type"], name="asset_type"),
        ]

    def __str__(self) -> str:
        return self.name


class _KindManager(models.Manager["Asset"].from_queryset(AssetQuerySet)):  # type: ignore[misc]
    kind: ClassVar[Kind]

    def get_queryset(self) -> AssetQuerySet:
        return AssetQuerySet(self.model, using=self._db).filter(kind=self.kind)


class _EquipmentManager(_KindManager):
    kind = Kind.EQUIPMENT


class _SensorManager(_KindManager):
    kind = Kind.SENSOR


class Equipment(Asset):
    """Assets under the name of equipment: machines, robots, stations."""

    objects: ClassVar[_EquipmentManager] = _EquipmentManager()

    class Meta:
        proxy = True
        verbose_name_plural = "equipment"


class Sensor(Asset):
    """Assets under the name of sensors: air-quality stations and the like."""

    objects: ClassVar[_SensorManager] = _SensorManager()

    class Meta:
        proxy = True


class Health(models.TextChoices):
    """How an asset is, judged by its active alerts; unknown until it is seen for the first time."""

    UNKNOWN = "unknown"
    GOOD = "good"
    WARNING = "warning"
    CRITICAL = "critical"


class AssetState(models.Model):
    """How an asset is right now; written by machines, so it has no version.

    ``clock_ahead`` says by how many seconds the clock that stamps its readings is ahead, where it is by minutes.
    """

    asset = models.OneToOneField("assets.Asset", models.CASCADE, primary_key=True, related_name="state")
    health = models.CharField(max_length=8, choices=Health.choices, default=Health.UNKNOWN)
    last_seen = models.DateTimeField(null=True, db_index=True)
    clock_ahead = models.PositiveIntegerField(null=True)
