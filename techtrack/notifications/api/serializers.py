"""How channels, routes and deliveries look on the wire."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from techtrack.accounts.models import Site
from techtrack.alerts.domain.condition import SEVERITIES
from techtrack.assets.models import AssetType
from techtrack.core import params
from techtrack.core.api.fields import ObjectField, VisibleField
from techtrack.core.api.filters import BIGGEST_ID
from techtrack.notifications.domain.transport import transports
from techtrack.notifications.models import Channel, Delivery, Route


def _settings_schema() -> dict[str, Any]:
    """One schema per transport: what its dataclass says of itself."""
    described = [params.describe(transports.get(name)) for name in transports.names()]
    return {"oneOf": [schema["$defs"][schema["$ref"].rpartition("/")[2]] for schema in described]}


@extend_schema_field(_settings_schema())
class SettingsField(ObjectField):
    """The settings of a transport."""


class ChannelSerializer(serializers.ModelSerializer):
    """A destination. ``config`` are the settings of its ``kind``."""

    kind = serializers.ChoiceField(choices=transports.names())
    config = SettingsField()
    site = VisibleField(queryset=Site.objects.all(), required=False, allow_null=True)

    class Meta:
        model = Channel
        fields = ["id", "name", "kind", "config", "site", "enabled", "version", "created_at", "updated_at"]
        read_only_fields = ["version", "created_at", "updated_at"]


class RouteSerializer(serializers.ModelSerializer):
    """Who gets what. What is left out, or empty, matches everything."""

    site = VisibleField(queryset=Site.objects.all(), required=False, allow_null=True)
    asset_type = serializers.SlugRelatedField(
        slug_field="slug", queryset=AssetType.objects.all(), required=False, allow_null=True
    )
    minimum_severity = serializers.ChoiceField(choices=list(SEVERITIES), required=False)
    tags = serializers.ListField(child=serializers.CharField(max_length=64), max_length=50, required=False)
    channels = serializers.ListField(
        source="channel_ids",
        child=serializers.IntegerField(min_value=1, max_value=BIGGEST_ID),
        max_length=50,
        default=list,
        help_text="Ids of channels.",
    )

    class Meta:
        model = Route
        fields = [
            "id",
            "name",
            "site",
            "asset_type",
            "minimum_severity",
            "tags",
            "channels",
            "enabled",
            "version",
            "created_at",
            "updated_at",
        ]
        read_only_fields = ["version", "created_at", "updated_at"]


class DeliverySerializer(serializers.ModelSerializer):
    """One message to one channel, and how far it has come."""

    class Meta:
        model = Delivery
        fields = [
            "id",
            "channel",
            "alert",
            "site",
            "event",
            "subject",
            "state",
            "attempts",
            "next_attempt_at",
            "error",
            "created_at",
            "sent_at",
        ]
        read_only_fields = fields
