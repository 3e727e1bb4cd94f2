"""Tables of people and places: User, Site, Membership, Session, ApiKey and one-time credentials."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser
from django.contrib.auth.models import UserManager as DjangoUserManager
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from techtrack.accounts.domain.access import Access, Role, Scope
from techtrack.core import clock
from techtrack.core.models import Versioned


class UserQuerySet(models.QuerySet["User"]):
    """People as a caller may see them."""

    def visible_to(self, access: Access) -> UserQuerySet:
        """Admins for all sites see everybody; others see themselves."""
        rows = self.prefetch_related("memberships")
        return rows if access.allows(Role.ADMIN, None) else rows.filter(pk=access.user_id)


class UserManager(DjangoUserManager["User"]):
    """Makes users; a superuser is an admin for all sites."""

    def get_queryset(self) -> UserQuerySet:
        return UserQuerySet(self.model, using=self._db)

    def visible_to(self, access: Access) -> UserQuerySet:
        """As the queryset's."""
        return self.get_queryset().visible_to(access)

    def create_superuser(
        self, username: str, email: str | None = None, password: str | None = None, **extra_fields: Any
    ) -> User:
        user = super().create_superuser(username, email, password, **extra_fields)
        Membership.objects.create(user=user, site=None, role=Role.ADMIN)
        return user


class User(AbstractUser, Versioned):
    """A person who can log in."""

    email = models.EmailField("e-mail address", blank=True)
    time_zone = models.CharField(max_length=64, default="UTC")
    # With a default, unlike elsewhere: Django's own commands make users without saying when.
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(default=clock.now, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    class Meta(AbstractUser.Meta):
        constraints = [
            models.UniqueConstraint(Lower("username"), name="username_once_in_any_case"),
            models.UniqueConstraint(Lower("email"), condition=~Q(email=""), name="email_once_in_any_case"),
        ]

    def access(self) -> Access:
        """Return what this person may do; an inactive one may do nothing."""
        rows = self.memberships.all() if self.is_active else []
        return Access.of(self.pk, self.username, ((row.site_id, row.role) for row in rows))


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


class Session(models.Model):
    """One login on one device: its access tokens live as long as it is not revoked."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey("accounts.User", models.CASCADE, related_name="+")
    started_at = models.DateTimeField()
    last_seen = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    address = models.CharField(max_length=64, blank=True, default="")
    device = models.CharField(max_length=200, blank=True, default="")


class RefreshToken(models.Model):
    """A refresh token, stored as a hash; spent by one conditional UPDATE, so only once whoever races."""

    digest = models.CharField(max_length=64, primary_key=True)
    session = models.ForeignKey("accounts.Session", models.CASCADE, related_name="+")
    issued_at = models.DateTimeField()
    spent_at = models.DateTimeField(null=True)


class OneTimeSecret(models.Model):
    """A secret that opens one thing once: the first set-up, or a WebSocket."""

    digest = models.CharField(max_length=64, primary_key=True)
    purpose = models.CharField(max_length=16)
    session = models.CharField(max_length=64, blank=True, default="")
    user = models.ForeignKey("accounts.User", models.CASCADE, null=True, related_name="+")
    expires_at = models.DateTimeField()


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    """Keys as a caller may see them."""

    def visible_to(self, access: Access) -> ApiKeyQuerySet:
        """Own keys; an admin for all sites sees every key."""
        return self if access.allows(Role.ADMIN, None) else self.filter(created_by=access.user_id)


class ApiKey(Versioned):
    """A machine's credential: its authority is its maker's, capped by its scope, site and asset."""

    name = models.CharField(max_length=200)
    prefix = models.CharField(max_length=12, unique=True)
    digest = models.CharField(max_length=64, unique=True)
    scope = models.CharField(max_length=8, choices=[(scope.value, scope.value) for scope in Scope])
    site = models.ForeignKey("accounts.Site", models.CASCADE, null=True, related_name="+")
    # A number, not a foreign key: assets stand on a higher rung, and remove their keys when they go.
    asset_id = models.BigIntegerField(null=True, db_index=True)
    expires_at = models.DateTimeField(null=True)
    allowed_addresses = models.JSONField(default=list)
    last_used = models.DateTimeField(null=True)
    created_by = models.ForeignKey("accounts.User", models.CASCADE, related_name="+")

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    def expired(self, now: datetime) -> bool:
        """Tell whether the key's time is over."""
        return self.expires_at is not None and self.expires_at <= now
