"""Imports for administrators: how far each file has come, and how fast."""

from __future__ import annotations

from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers

from techtrack.core.api.viewsets import ReadOnlyViewSet
from techtrack.integrations.models import ImportRun


class ImportRunSerializer(serializers.ModelSerializer):
    """A file that `techtrack import` loads or has loaded; one that was cut off goes on when the command runs again."""

    rate = serializers.FloatField(allow_null=True, read_only=True, help_text="rows a second")

    class Meta:
        model = ImportRun
        fields = ["id", "name", "rows_total", "rows_done", "readings", "rate", "started_at", "finished_at"]
        read_only_fields = fields


class ImportRunFilter(filters.FilterSet):
    """Imports by whether they have come to their end."""

    finished = filters.BooleanFilter(field_name="finished_at", lookup_expr="isnull", exclude=True)


@extend_schema_view(
    list=extend_schema(operation_id="imports_list", tags=["imports"]),
    retrieve=extend_schema(operation_id="imports_retrieve", tags=["imports"]),
)
class ImportRunViewSet(ReadOnlyViewSet):
    """Imports of files, newest first."""

    queryset = ImportRun.objects.all()
    serializer_class = ImportRunSerializer
    filterset_class = ImportRunFilter
    ordering_fields = ["started_at", "finished_at"]
    ordering = ["-started_at", "-id"]
