"""Tables of destinations: where messages can go, and how that went lately."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q

from techtrack.accounts.domain.access import Access, Role
from techtrack.core.auditing import Audited
from techtrack.core.errors import TechTrackError
from techtrack.core.models import Versioned
from techtrack.notifications.domain.transport import Transport, build
from techtrack.notifications.models.outbox import LETTER
from techtrack.notifications.models.secrets import opened


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


class ChannelQuerySet(SiteScopedQuerySet):
    """Channels as a caller may see them."""

    def visible_to(self, access: Access, role: Role = Role.OPERATOR) -> ChannelQuerySet:
        """As of any row of a site; a channel of a person is that person's alone."""
        shared = super().visible_to(access, role).filter(owner=None)
        own = Q(owner=access.user_id) if access.user_id and access.only_asset is None else Q(pk__in=[])
        return self.filter(Q(pk__in=shared.values("pk")) | own).exclude(kind=LETTER)


class Channel(Versioned):
    """A destination: a transport by name and its settings (for e-mail ``{"to": [addresses]}``).

    A channel with an ``owner`` leads to one person, whose preferences it follows; an ``automatic`` one was made for a
    person without any, and follows the e-mail address of the account. Empty templates are built-in ones.
    ``failing_since`` and ``error`` tell how the last attempt went, whatever the message was; after so many
    ``failures`` in a row the whole channel rests until ``retry_at``.
    """

    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=32)
    config = models.JSONField(default=dict)
    site = models.ForeignKey("accounts.Site", models.CASCADE, null=True, related_name="+")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+")
    subject_template = models.CharField(max_length=500, blank=True, default="")
    body_template = models.TextField(max_length=10_000, blank=True, default="")
    enabled = models.BooleanField(default=True)
    last_sent_at = models.DateTimeField(null=True, editable=False)
    failing_since = models.DateTimeField(null=True, editable=False)
    error = models.TextField(blank=True, default="", editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False)
    retry_at = models.DateTimeField(null=True, editable=False)
    automatic = models.BooleanField(default=False, editable=False)

    audited = Audited(
        hidden=frozenset({"config"}),
        silent=frozenset({"last_sent_at", "failing_since", "error", "failures", "retry_at"}),
    )
    objects = ChannelQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["owner"], condition=Q(automatic=True), name="one_automatic_channel_each")
        ]

    def __str__(self) -> str:
        return self.name

    def audit_person(self) -> int | None:
        """Whom it leads to."""
        return self.owner_id

    def audit_personal(self) -> frozenset[str]:
        """What a person calls the own channel is the person's; what a plant calls its own is told."""
        return frozenset({"name"}) if self.owner_id else frozenset()

    @property
    def personal(self) -> bool:
        """Whether it leads to one person."""
        return self.owner_id is not None

    def transport(self) -> Transport:
        """What sends to it, with its secrets.

        Raises:
            Unreadable: they were encrypted with a key that is gone.
        """
        return build(self.kind, opened(self.config))

    @property
    def nowhere(self) -> str:
        """Why nobody gets what is sent to it, such as that no gateway is set, in a sentence; empty if all is well."""
        try:
            transport: Any = self.transport()
        except TechTrackError as error:
            return error.detail
        return str(transport.nowhere()) if hasattr(transport, "nowhere") else ""
