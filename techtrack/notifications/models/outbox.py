"""Tables of what is to be told: groups of alerts with their notices, and the messages made of them."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from techtrack.accounts.domain.access import Access, Role
from techtrack.alerts.domain.condition import SEVERITIES


class Group(models.Model):
    """Alerts that share the messages of a route: those that agree in its ``group_by``, which ``key`` writes down.

    ``due_at``: when to look at it next. The rest tells of the round in hand, which ends when nothing stands any more:
    ``opened_at`` and ``told_at`` are its first and last message, ``severity`` is the worst that was told, ``step``
    how many rows of the escalation were.
    """

    route = models.ForeignKey("notifications.Route", models.CASCADE, related_name="+")
    key = models.CharField(max_length=300)
    opened_at = models.DateTimeField(null=True)
    told_at = models.DateTimeField(null=True)
    severity = models.CharField(max_length=8, blank=True, default="")
    step = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(null=True, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["route", "key"], name="one_group_of_a_key")]


class Notice(models.Model):
    """What happened to an alert and is to be told: written in its transaction, so that it cannot be lost.

    It is only ever added there, and put into its group afterwards: the alert waits for no row of telling people.
    """

    # Without a constraint: a route deleted at this moment must not undo the alert.
    route = models.ForeignKey("notifications.Route", models.CASCADE, related_name="+", db_constraint=False)
    key = models.CharField(max_length=300)
    group = models.ForeignKey("notifications.Group", models.CASCADE, null=True, related_name="notices")
    alert = models.ForeignKey("alerts.Alert", models.CASCADE, related_name="+")
    event = models.CharField(max_length=24)
    severity = models.CharField(max_length=8)
    at = models.DateTimeField()
    created_at = models.DateTimeField()
    told_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["group"], name="notice_untold", condition=Q(told_at=None))]


# The event of letters about accounts, and the kind of the channel in whose line they wait.
LETTER = "letter"


class DeliveryState(models.TextChoices):
    """How far a message has come."""

    PENDING = "pending"
    HELD = "held"
    MERGED = "merged"
    SENT = "sent"
    DEAD = "dead"


def _place() -> models.Case:
    """The place of a severity in the line before a channel, from 0 for the gravest."""
    gravest_first = enumerate(reversed(SEVERITIES))
    known = [models.When(severity=severity, then=place) for place, severity in gravest_first]
    return models.Case(*known, default=len(SEVERITIES))


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    """Deliveries as a caller may see them."""

    def visible_to(self, access: Access, role: Role = Role.OPERATOR) -> DeliveryQuerySet:
        """Deliveries about sites where the caller has ``role``, and own ones: a refusal may quote addresses."""
        sites = access.sites(role)
        if access.only_asset is not None:
            rows = self if sites is None else self.filter(site__in=sites)
            return rows.filter(alert__asset=access.only_asset)
        if access.allows(Role.ADMIN, None):
            return self
        if sites is None:
            # Letters are about people, not about sites.
            return self.exclude(~Q(person=access.user_id or None), event=LETTER)
        own = Q(person=access.user_id) if access.user_id and access.only_site is None else Q(pk__in=[])
        return self.filter(Q(site__in=sites) | own)


class Delivery(models.Model):
    """One message to one channel: an outbox row, written with its cause, claimed by lease, sent at least once.

    ``id`` is what the receiver sees as Message-ID, the same at every attempt. ``facts`` is what the message says, for
    transports that carry data (one entry for each of ``alerts``); ``alert`` and ``site`` are set where there is but
    one. One that is held waits for the end of quiet hours or for a digest, in which it is then merged.

    Of a channel with several addresses, ``reached`` are those that have it: the next attempt is for the others.
    ``answer`` is what was said when it was sent; ``deaths`` is how many attempts in a row ended without a word of
    their sender.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    channel = models.ForeignKey("notifications.Channel", models.CASCADE, related_name="+")
    route = models.ForeignKey("notifications.Route", models.SET_NULL, null=True, related_name="+")
    group = models.ForeignKey("notifications.Group", models.SET_NULL, null=True, related_name="+")
    alert = models.ForeignKey("alerts.Alert", models.CASCADE, null=True, related_name="+")
    alerts = models.ManyToManyField("alerts.Alert", related_name="+")
    severity = models.CharField(max_length=8, blank=True, default="")
    # Computed by the database: a channel's line of ten thousand is read in its order, not sorted for each message.
    place = models.GeneratedField(expression=_place(), output_field=models.SmallIntegerField(), db_persist=True)
    site = models.ForeignKey("accounts.Site", models.CASCADE, null=True, related_name="+")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+")
    event = models.CharField(max_length=24)
    subject = models.CharField(max_length=300)
    body = models.TextField()
    facts = models.JSONField(default=list)
    state = models.CharField(max_length=8, choices=DeliveryState.choices, default=DeliveryState.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True)
    deaths = models.PositiveSmallIntegerField(default=0)
    reached = models.JSONField(default=list)
    merged_into = models.ForeignKey("self", models.CASCADE, null=True, related_name="+")
    error = models.TextField(blank=True, default="")
    answer = models.TextField(blank=True, default="")
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        verbose_name_plural = "deliveries"
        indexes = [
            models.Index(fields=["state", "next_attempt_at"], name="delivery_due"),
            models.Index(fields=["channel", "state", "place", "next_attempt_at"], name="delivery_line_of_channel"),
        ]

    def __str__(self) -> str:
        return self.subject
