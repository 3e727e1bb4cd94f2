"""Categories as a resource."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from techtrack.core import clock
from techtrack.core.api.bulk import BulkViewSet
from techtrack.core.api.fields import ResourceSerializer
from techtrack.tasks import services
from techtrack.tasks.models import Category


class CategorySerializer(ResourceSerializer):
    """The caller's own drawer for tasks."""

    colour = serializers.RegexField(
        r"^#[0-9a-fA-F]{6}\Z", required=False, allow_blank=True, help_text="Such as #1f77b4, or empty."
    )

    class Meta:
        model = Category
        fields = ["id", "name", "colour", "version", "created_at", "updated_at"]
        read_only_fields = ["version", "created_at", "updated_at"]


class CategoryViewSet(BulkViewSet):
    """The caller's own categories."""

    queryset = Category.objects.all()
    serializer_class = CategorySerializer
    ordering_fields = ["name", "created_at", "updated_at"]
    ordering = ["name", "id"]
    search_fields = ["name"]

    def add(self, data: dict[str, Any]) -> Category:
        return services.create_category(by=self.request.auth, data=data, now=clock.now())

    def edit(self, instance: Category, data: dict[str, Any], expected: int | None) -> Category:
        return services.update_category(
            category=instance, by=self.request.auth, changes=data, expected=expected, now=clock.now()
        )

    def drop(self, instance: Category, expected: int | None) -> None:
        services.delete_category(category=instance, by=self.request.auth, expected=expected, now=clock.now())
