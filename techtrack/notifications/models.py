"""Tables of telling people: where to (Channel), who gets what (Route), each message to send (Delivery)."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from techtrack.accounts.domain.access import Access, Role
from techtrack.core.models import Versioned


class SiteScopedQuerySet(models.QuerySet):
    """Rows of a site, or of all sites."""

    def visible_to(self, access: Access, role: Role = Role.OPERATOR) -> SiteScopedQuerySet:
        """Rows of sites where the caller has ``role``, and those for all sites for whoever has it anywhere.

        They hold people's addresses, so a viewer, and a key bound to one asset, sees none.
        """
        sites = access.sites(role)
        if access.only_asset is not None:
            return self.none()
        if sites is None:
            return self
        return self.filter(Q(site__in=sites) | Q(site=None)) if sites else self.none()


class Channel(Versioned):
    """A destination: a transport by name and its settings (for e-mail ``{"to": [addresses]}``)."""

    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=32)
    config = models.JSONField(default=dict)
    site = models.ForeignKey("accounts.Site", models.CASCADE, null=True, related_name="+")
    enabled = models.BooleanField(default=True)

    objects = SiteScopedQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name


class Route(Versioned):
    """Who gets what: alerts that match go to the channels. Empty matchers match all."""

    name = models.CharField(max_length=200)
    site = models.ForeignKey("accounts.Site", models.CASCADE, null=True, related_name="+")
    asset_type = models.ForeignKey("assets.AssetType", models.PROTECT, null=True, related_name="+")
    minimum_severity = models.CharField(max_length=8, default="info")
    tags = models.JSONField(default=list)
    channels = models.ManyToManyField("notifications.Channel", related_name="+")
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


class DeliveryState(models.TextChoices):
    """How far a message has come."""

    PENDING = "pending"
    SENT = "sent"
    DEAD = "dead"


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    """Deliveries as a caller may see them."""

    def visible_to(self, access: Access, role: Role = Role.OPERATOR) -> DeliveryQuerySet:
        """Deliveries about sites where the caller has ``role``: a server's refusal may quote addresses."""
        sites = access.sites(role)
        rows = self if sites is None else self.filter(site__in=sites)
        return rows if access.only_asset is None else rows.filter(alert__asset=access.only_asset)


class Delivery(models.Model):
    """One message to one channel: an outbox row, written with its cause, claimed by lease, sent at least once.

    ``id`` is what the receiver sees as Message-ID, the same at every attempt.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    channel = models.ForeignKey("notifications.Channel", models.CASCADE, related_name="+")
    alert = models.ForeignKey("alerts.Alert", models.CASCADE, null=True, related_name="+")
    site = models.ForeignKey("accounts.Site", models.CASCADE, null=True, related_name="+")
    event = models.CharField(max_length=24)
    subject = models.CharField(max_length=300)
    body = models.TextField()
    state = models.CharField(max_length=8, choices=DeliveryState.choices, default=DeliveryState.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True)
    error = models.TextField(blank=True, default="")
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        verbose_name_plural = "deliveries"
        indexes = [models.Index(fields=["state", "next_attempt_at"], name="delivery_due")]

    def __str__(self) -> str:
        return self.subject
