"""Categories: a person's own drawers for tasks."""

from __future__ import annotations

from django.db import models

from techtrack.accounts.domain.access import Access
from techtrack.core.auditing import Audited
from techtrack.core.models import Versioned


class CategoryQuerySet(models.QuerySet["Category"]):
    """Categories are personal."""

    def visible_to(self, access: Access) -> CategoryQuerySet:
        """The caller's own."""
        return self.filter(owner=access.user_id)


class Category(Versioned):
    """A person's own drawer for tasks."""

    owner = models.ForeignKey("accounts.User", models.CASCADE, related_name="+")
    name = models.CharField(max_length=100)
    colour = models.CharField(max_length=7, blank=True, default="")

    # A person's own words.
    audited = Audited(hidden=frozenset({"name"}))
    objects = CategoryQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]
        verbose_name_plural = "categories"
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="category_once_per_owner")]

    def __str__(self) -> str:
        return self.name
