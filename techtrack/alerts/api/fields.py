"""Serializer fields of alerts and rules: the asset by its two names, people, conditions, durations in JSON."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from techtrack.accounts.models import User
from techtrack.alerts.domain.condition import MOST_CLAUSES, SEVERITIES
from techtrack.alerts.models import Alert
from techtrack.assets.models import Asset, Kind
from techtrack.core.api.fields import IsoDurationField, VisibleField
from techtrack.core.clock import iso_duration


class NamedAssetField(VisibleField):
    """The asset of an alert under one of its two names; null where it goes by the other one."""

    def __init__(self, kind: Kind, **kwargs: Any) -> None:
        self.kind = kind
        super().__init__(queryset=Asset.objects.all(), required=False, allow_null=True, **kwargs)

    def get_queryset(self) -> QuerySet:
        return Asset.objects.visible_to(self.context["request"].auth).filter(kind=self.kind)

    def get_attribute(self, instance: Alert) -> Asset | None:
        return instance.asset if instance.asset.kind == self.kind else None


class PersonField(VisibleField):
    """The id of somebody who works where the caller may look, or who is named already."""

    def get_queryset(self) -> QuerySet:
        access = self.context["request"].auth
        sites = access.sites()
        people = User.objects.filter(is_active=True)
        if sites is None:
            return people
        shared = Q(memberships__site__in=sites) | Q(memberships__site=None, memberships__isnull=False)
        alert = self.parent.instance if self.parent else None
        held = alert.assignee_id if isinstance(alert, Alert) else None
        return people.filter((shared if sites else Q(pk=access.user_id)) | Q(pk=held)).distinct()


@extend_schema_field(
    {
        "type": "array",
        "minItems": 1,
        "maxItems": MOST_CLAUSES,
        "items": {
            "type": "object",
            "description": "Its other members are the parameters of the kind, such as `limit`.",
            "required": ["kind"],
            "properties": {
                "kind": {"type": "string", "examples": ["above"]},
                "severity": {"type": "string", "enum": list(SEVERITIES), "default": "medium"},
                "limit": {
                    "oneOf": [
                        {"type": "number"},
                        {
                            "type": "object",
                            "description": "A limit that each asset brings along in its attributes.",
                            "required": ["attribute"],
                            "properties": {"attribute": {"type": "string"}, "default": {"type": "number"}},
                        },
                    ]
                },
            },
        },
    }
)
class ConditionsField(serializers.JSONField):
    """The conditions of a rule; the service proves them against the registry."""


@extend_schema_field({"type": "string", "format": "duration", "examples": ["PT10M"]})
class DurationTextField(IsoDurationField):
    """An ISO 8601 duration that is kept as text, inside JSON."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(longest=timedelta(days=366), **kwargs)

    def to_internal_value(self, value: Any) -> Any:
        return iso_duration(super().to_internal_value(value))

    def to_representation(self, value: Any) -> str:
        return str(value)
