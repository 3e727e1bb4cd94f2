"""Tables of invitations: who is asked to join, by whom, and as what."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import Q

from techtrack.accounts.domain.access import Access, Role
from techtrack.core.auditing import Audited
from techtrack.core.models import Versioned


class InvitationQuerySet(models.QuerySet["Invitation"]):
    """Invitations as a caller may see them."""

    def visible_to(self, access: Access) -> InvitationQuerySet:
        """Those whose every role the caller may give; they hold people's addresses."""
        rows = self.prefetch_related("roles").select_related("invited_by", "accepted_by")
        sites = access.sites(Role.ADMIN)
        if sites is None:
            return rows
        beyond = InvitedRole.objects.filter(Q(site=None) | ~Q(site__in=sites)).values("invitation")
        here = InvitedRole.objects.filter(site__in=sites).values("invitation")
        return rows.filter(pk__in=here).exclude(pk__in=beyond)


class Invitation(Versioned):
    """Whoever reads the letters to ``email`` may join until ``expires_at``, once."""

    email = models.EmailField("e-mail address")
    invited_by = models.ForeignKey("accounts.User", models.CASCADE, related_name="+")
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, editable=False)
    accepted_by = models.ForeignKey("accounts.User", models.SET_NULL, null=True, related_name="+", editable=False)

    audited = Audited(personal=frozenset({"email"}))
    objects = InvitationQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.email

    def open(self, now: datetime) -> bool:
        """Tell whether it can still be accepted."""
        return self.accepted_at is None and self.expires_at > now


class InvitedRole(models.Model):
    """What whoever accepts becomes at a site, or for all sites where ``site`` is null."""

    invitation = models.ForeignKey("accounts.Invitation", models.CASCADE, related_name="roles")
    site = models.ForeignKey("accounts.Site", models.CASCADE, null=True, related_name="+")
    role = models.CharField(max_length=16, choices=[(role.value, role.value) for role in Role])

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["invitation", "site"], name="one_invited_role_per_site"),
            models.UniqueConstraint(fields=["invitation"], condition=Q(site=None), name="one_invited_role_for_all"),
        ]

    def __str__(self) -> str:
        return f"{self.invitation_id}: {self.role} at {self.site_id or 'all sites'}"
