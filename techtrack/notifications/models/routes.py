"""Tables of who gets what and when: routes, rotas of people on call, and what a person prefers."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import models

from techtrack.core.models import Versioned
from techtrack.notifications.models.channels import SiteScopedQuerySet


class Route(Versioned):
    """Who gets what: alerts that match go to channels, people and whoever is on call. Empty matchers match all.

    Alerts that agree in the labels of ``group_by`` share messages: the first ``group_wait`` after the first of them,
    further ones ``group_interval`` apart. Until somebody acknowledges, the message is repeated ``repeat_every``, and
    each row of ``escalation`` (``after``, an ISO 8601 duration since the first message, and ``channels``, ``people``,
    ``rotas``: lists of ids) tells further people.
    """

    name = models.CharField(max_length=200)
    site = models.ForeignKey("accounts.Site", models.CASCADE, null=True, related_name="+")
    asset_type = models.ForeignKey("assets.AssetType", models.PROTECT, null=True, related_name="+")
    minimum_severity = models.CharField(max_length=8, default="info")
    tags = models.JSONField(default=list)
    channels = models.ManyToManyField("notifications.Channel", related_name="+")
    people = models.JSONField(default=list)
    rotas = models.JSONField(default=list)
    group_by = models.JSONField(default=list)
    group_wait = models.DurationField(default=timedelta(0))
    group_interval = models.DurationField(default=timedelta(minutes=5))
    repeat_every = models.DurationField(null=True)
    escalation = models.JSONField(default=list)
    tell_returned = models.BooleanField(default=True)
    enabled = models.BooleanField(default=True)

    objects = SiteScopedQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name

    @property
    def channel_ids(self) -> list[int]:
        """The ids of the channels, in order; no query where they were prefetched."""
        return sorted(channel.pk for channel in self.channels.all())


class Rota(Versioned):
    """Who is on call: ``people`` (ids) take turns of ``turn`` days from ``starts_at`` on, in ``timezone``.

    ``overrides`` are ``{"from", "to", "person"}``: somebody stands in for a while.
    """

    name = models.CharField(max_length=200)
    site = models.ForeignKey("accounts.Site", models.CASCADE, null=True, related_name="+")
    people = models.JSONField(default=list)
    turn = models.PositiveSmallIntegerField(default=7)
    starts_at = models.DateTimeField()
    timezone = models.CharField(max_length=64, default="UTC")
    overrides = models.JSONField(default=list)

    objects = SiteScopedQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name


class Preference(Versioned):
    """How a person wants to be told, in the person's own time zone.

    In ``quiet_hours`` (``{"days": [0..6], "from": "22:00", "to": "06:00"}``) only ``quiet_except`` and worse comes
    through; the rest waits for their end and comes as one message. What is below ``digest_below`` comes as a digest:
    each hour, or each day at ``digest_at``. What is below ``minimum_severity`` does not come at all.
    """

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    minimum_severity = models.CharField(max_length=8, default="info")
    quiet_hours = models.JSONField(default=list)
    quiet_except = models.CharField(max_length=8, default="critical")
    digest = models.CharField(max_length=6, choices=[(k, k) for k in ("hourly", "daily")], blank=True, default="")
    digest_at = models.TimeField(default="07:00")
    digest_below = models.CharField(max_length=8, default="medium")
