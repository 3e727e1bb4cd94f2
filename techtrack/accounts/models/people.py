"""Tables of people and places: User, Site, Membership."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser
from django.contrib.auth.models import UserManager as DjangoUserManager
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from techtrack.accounts.domain.access import Access, Role
from techtrack.core import clock
from techtrack.core.auditing import Audited
from techtrack.core.models import Versioned


class UserQuerySet(models.QuerySet["User"]):
    """People as a caller may see them."""

    def visible_to(self, access: Access) -> UserQuerySet:
        """Admins for all sites see everybody; others see themselves."""
        rows = self.prefetch_related("memberships")
        return rows if access.allows(Role.ADMIN, None) else rows.filter(pk=access.user_id)

    def known_to(self, access: Access) -> UserQuerySet:
        """Active people who share a site with the caller, and the caller; of all sites for whoever sees all."""
        active = self.filter(is_active=True)
        if access.only_asset is not None:
            return active.none()
        sites = access.sites()
        if sites is None:
            return active
        there = Membership.objects.filter(Q(site__in=sites) | Q(site=None)).values("user") if sites else []
        return active.filter(Q(pk__in=there) | Q(pk=access.user_id))


class UserManager(DjangoUserManager["User"]):
    """Makes users; a superuser is an admin for all sites."""

    def get_queryset(self) -> UserQuerySet:
        return UserQuerySet(self.model, using=self._db)

    def visible_to(self, access: Access) -> UserQuerySet:
        """As the queryset's."""
        return self.get_queryset().visible_to(access)

    def known_to(self, access: Access) -> UserQuerySet:
        """As the queryset's."""
        return self.get_queryset().known_to(access)

    def create_superuser(
        self, username: str, email: str | None = None, password: str | None = None, **extra_fields: Any
    ) -> User:
        # Whoever has the server's console vouches for the address.
        extra_fields.setdefault("email_verified_at", clock.now() if email else None)
        user = super().create_superuser(username, email, password, **extra_fields)
        Membership.objects.create(user=user, site=None, role=Role.ADMIN)
        return user


class User(AbstractUser, Versioned):
    """A person who can log in.

    Whether ``email`` is the person's was shown at ``email_verified_at``: by a letter to it, or an administrator said
    so. Several accounts may claim an address; one has it. ``new_email`` takes its place once that is shown of it.
    """

    email = models.EmailField("e-mail address", blank=True)
    email_verified_at = models.DateTimeField(null=True, blank=True)
    new_email = models.EmailField("new e-mail address", blank=True, default="")
    time_zone = models.CharField(max_length=64, default="UTC")
    # Of the person who sends a request from a browser: the session that this is in.
    session_id: str | None = None
    # With a default, unlike elsewhere: Django's own commands make users without saying when.
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(default=clock.now, editable=False)

    audited = Audited(
        hidden=frozenset({"password"}),
        personal=frozenset({"username", "email", "new_email", "first_name", "last_name", "time_zone"}),
        silent=frozenset({"last_login"}),
    )
    objects: ClassVar[UserManager] = UserManager()

    class Meta(AbstractUser.Meta):
        constraints = [
            models.UniqueConstraint(Lower("username"), name="username_once_in_any_case"),
            # Not of addresses that are only claimed: a refusal would tell strangers who is here.
            models.UniqueConstraint(
                Lower("email"),
                condition=~Q(email="") & Q(email_verified_at__isnull=False),
                name="verified_email_once_in_any_case",
            ),
        ]

    def audit_person(self) -> int:
        """The person itself."""
        return self.pk

    def access(self) -> Access:
        """Return what this person may do; an inactive one may do nothing."""
        rows = self.memberships.all() if self.is_active else []
        return Access.of(self.pk, self.username, ((row.site_id, row.role) for row in rows), session_id=self.session_id)


class SiteQuerySet(models.QuerySet["Site"]):
    """Sites as a caller may see them."""

    def visible_to(self, access: Access) -> SiteQuerySet:
        """Sites where the caller has any role."""
        sites = access.sites()
        return self if sites is None else self.filter(pk__in=sites)


class Site(Versioned):
    """A place where assets stand; it gives them their time zone."""

    name = models.CharField(max_length=200, unique=True)
    timezone = models.CharField(max_length=64, default="UTC")
    latitude = models.FloatField(null=True)
    longitude = models.FloatField(null=True)
    address = models.CharField(max_length=500, blank=True, default="")
    parent = models.ForeignKey("self", models.PROTECT, null=True, related_name="+")

    objects = SiteQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def audit_site(self) -> int:
        """The site itself."""
        return self.pk


class Membership(models.Model):
    """A person's role at a site, or for all sites where ``site`` is null."""

    user = models.ForeignKey("accounts.User", models.CASCADE, related_name="memberships")
    site = models.ForeignKey("accounts.Site", models.CASCADE, null=True, related_name="+")
    role = models.CharField(max_length=16, choices=[(role.value, role.value) for role in Role])

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "site"], name="one_role_per_site"),
            models.UniqueConstraint(fields=["user"], condition=Q(site=None), name="one_role_for_all_sites"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.role} at {self.site_id or 'all sites'}"
