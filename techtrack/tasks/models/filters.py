"""Filters that people keep under a name."""

from __future__ import annotations

from django.db import models

from techtrack.accounts.domain.access import Access
from techtrack.core.auditing import Audited
from techtrack.core.models import Versioned


class SavedFilterQuerySet(models.QuerySet["SavedFilter"]):
    """Filters are personal."""

    def visible_to(self, access: Access) -> SavedFilterQuerySet:
        """The caller's own."""
        return self.filter(owner=access.user_id)


class SavedFilter(Versioned):
    """Parameters of the list of tasks, as a mapping of texts, under a person's own name for them."""

    owner = models.ForeignKey("accounts.User", models.CASCADE, related_name="+")
    name = models.CharField(max_length=100)
    query = models.JSONField()

    # A person's own words, and what that person searches for.
    audited = Audited(hidden=frozenset({"name", "query"}))
    objects = SavedFilterQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="filter_once_per_owner")]

    def __str__(self) -> str:
        return self.name
