"""Tables of credentials: sessions and their refresh tokens, one-time secrets, keys of machines."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import models

from techtrack.accounts.domain.access import Access, Role, Scope
from techtrack.core.auditing import Audited
from techtrack.core.models import Versioned


class Session(models.Model):
    """One login on one device: its access tokens live as long as it is not revoked."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey("accounts.User", models.CASCADE, related_name="+")
    started_at = models.DateTimeField()
    last_seen = models.DateTimeField()
    # When its person last proved who they are; what is dangerous asks for it.
    auth_time = models.DateTimeField()
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
    # The text before the last rotation, while both open: machines get the new one in their own time.
    old_prefix = models.CharField(max_length=12, unique=True, null=True)
    old_digest = models.CharField(max_length=64, blank=True, default="")
    old_until = models.DateTimeField(null=True)
    scope = models.CharField(max_length=8, choices=[(scope.value, scope.value) for scope in Scope])
    site = models.ForeignKey("accounts.Site", models.CASCADE, null=True, related_name="+")
    # A number, not a foreign key: assets stand on a higher rung, and remove their keys when they go.
    asset_id = models.BigIntegerField(null=True, db_index=True)
    expires_at = models.DateTimeField(null=True)
    allowed_addresses = models.JSONField(default=list)
    last_used = models.DateTimeField(null=True)
    created_by = models.ForeignKey("accounts.User", models.CASCADE, related_name="+")

    audited = Audited(
        hidden=frozenset({"digest", "old_digest"}), personal=frozenset({"name"}), silent=frozenset({"last_used"})
    )
    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    def audit_person(self) -> int:
        """Its maker, who named it."""
        return self.created_by_id

    def expired(self, now: datetime) -> bool:
        """Tell whether the key's time is over."""
        return self.expires_at is not None and self.expires_at <= now

    def digest_of(self, prefix: str, now: datetime) -> str:
        """Return the hash that the secret behind ``prefix`` must have now, empty where none opens any more."""
        if prefix == self.prefix:
            return self.digest
        still = self.old_until is not None and now < self.old_until
        return self.old_digest if still and prefix == self.old_prefix else ""
