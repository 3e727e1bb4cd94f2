"""Tables of the audit log: entries, the personal words they stand for, and where the kept part begins."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from techtrack.accounts.domain.access import Access, Role


class AuditEntryQuerySet(models.QuerySet["AuditEntry"]):
    """Entries as a caller may see them."""

    def visible_to(self, access: Access) -> AuditEntryQuerySet:
        """All for an administrator for all sites, those of their sites for other administrators; none for others."""
        sites = access.sites(Role.ADMIN)
        return self if sites is None else self.filter(site_id__in=sites)


class AuditEntry(models.Model):
    """Who did what, when, from where; written once, given its place and hash by the sealer, then never changed.

    Plain columns without foreign keys, so that what it says stays when what it speaks of goes. ``at`` is in µs;
    ``before`` and ``after`` are JSON as it was hashed. Triggers of the database refuse what may not be (0004_audit).
    """

    position = models.BigIntegerField(null=True, unique=True)
    hash = models.CharField(max_length=64, blank=True, default="")
    at = models.BigIntegerField()
    actor = models.CharField(max_length=64)
    session = models.CharField(max_length=64, blank=True, default="")
    via = models.CharField(max_length=64, blank=True, default="")
    address = models.CharField(max_length=64, blank=True, default="")
    agent = models.CharField(max_length=200, blank=True, default="")
    request_id = models.CharField(max_length=64, blank=True, default="")
    action = models.CharField(max_length=64)
    object_type = models.CharField(max_length=64, blank=True, default="")
    object_id = models.CharField(max_length=64, blank=True, default="")
    site_id = models.BigIntegerField(null=True)
    person_id = models.BigIntegerField(null=True)
    before = models.TextField(default="{}")
    after = models.TextField(default="{}")

    objects = AuditEntryQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["id"], name="audit_unsealed", condition=Q(position=None)),
            models.Index(fields=["at"], name="audit_at"),
            models.Index(fields=["actor", "id"], name="audit_actor"),
            models.Index(fields=["object_type", "object_id", "id"], name="audit_object"),
            models.Index(fields=["site_id", "id"], name="audit_site"),
            models.Index(fields=["request_id"], name="audit_request", condition=~Q(request_id="")),
        ]


class AuditWord(models.Model):
    """A personal value that an entry mentions by ``digest`` only: it can be erased with the person."""

    digest = models.CharField(max_length=64, primary_key=True)
    entry_id = models.BigIntegerField(db_index=True)
    person_id = models.BigIntegerField(db_index=True)
    salt = models.CharField(max_length=32)
    value = models.TextField()


class AuditCheckpoint(models.Model):
    """Entries up to ``position`` are kept no longer; the first that is kept was hashed over ``hash``."""

    position = models.BigIntegerField(primary_key=True)
    hash = models.CharField(max_length=64)
    at = models.BigIntegerField()
