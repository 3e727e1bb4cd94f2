"""Channels as a resource: destinations of messages, and a way to try one out."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from techtrack.accounts.models import Site
from techtrack.core import clock, params
from techtrack.core.api.fields import ObjectField, VisibleField
from techtrack.core.api.viewsets import ResourceViewSet
from techtrack.notifications import services
from techtrack.notifications.api.filters import SiteFilter
from techtrack.notifications.domain.transport import secrets_of, transports
from techtrack.notifications.models import Channel
from techtrack.notifications.models.secrets import MASK, shown


def _settings_schema() -> dict[str, Any]:
    """One schema per transport: what its dataclass says of itself, and which settings are never shown again."""
    # Not "one of": an address alone suits a webhook as well as a service of Apprise; which it is, ``kind`` says.
    return {"anyOf": [_schema_of(name) for name in transports.names()]}


def _schema_of(name: str) -> dict[str, Any]:
    described = params.describe(transports.get(name))
    schema: dict[str, Any] = described["$defs"][described["$ref"].rpartition("/")[2]]
    for field in secrets_of(name):
        schema["properties"][field] |= {"description": f"Read as {MASK}; sent back so, it stays what it is."}
    return schema | {"additionalProperties": False}


@extend_schema_field(_settings_schema())
class SettingsField(ObjectField):
    """The settings of a transport; secrets among them are masked, and a mask that comes back changes nothing."""

    def to_representation(self, value: Any) -> Any:
        return shown(value)


class ChannelSerializer(serializers.ModelSerializer):
    """A destination. ``config`` are the settings of its ``kind``."""

    kind = serializers.ChoiceField(choices=transports.names())
    config = SettingsField()
    site = VisibleField(queryset=Site.objects.all(), required=False, allow_null=True)
    nowhere: Any = serializers.CharField(
        read_only=True,
        help_text="Why nobody gets what is sent to it, such as that no gateway is set; empty where all is well.",
    )
    personal = serializers.BooleanField(
        required=False,
        help_text="Leads to the caller alone, who then needs no engineer for it; decided when it is made.",
    )

    class Meta:
        model = Channel
        fields = [
            "id",
            "name",
            "kind",
            "config",
            "site",
            "personal",
            "owner",
            "automatic",
            "subject_template",
            "body_template",
            "enabled",
            "nowhere",
            "last_sent_at",
            "failing_since",
            "error",
            "version",
            "created_at",
            "updated_at",
        ]
        read_only_fields = [
            *("owner", "automatic", "nowhere", "last_sent_at", "failing_since", "error"),
            *("version", "created_at", "updated_at"),
        ]


class TrialSerializer(serializers.Serializer):
    """How a test message fared: whether it was taken, and what the other side said."""

    sent = serializers.BooleanField()
    detail = serializers.CharField()


class ChannelViewSet(ResourceViewSet):
    """Destinations of messages; operators read them, engineers manage them, and everybody their own."""

    queryset = Channel.objects.all()
    serializer_class = ChannelSerializer
    filterset_class = SiteFilter
    ordering_fields = ["name", "created_at", "updated_at"]
    ordering = ["name", "id"]
    search_fields = ["name"]

    def add(self, data: dict[str, Any]) -> Channel:
        return services.create_channel(by=self.request.auth, data=data, now=clock.now())

    def edit(self, instance: Channel, data: dict[str, Any], expected: int | None) -> Channel:
        return services.update_channel(
            by=self.request.auth, channel=instance, expected=expected, now=clock.now(), changes=data
        )

    def drop(self, instance: Channel, expected: int | None) -> None:
        services.delete_channel(by=self.request.auth, channel=instance, expected=expected, now=clock.now())

    @extend_schema(operation_id="channels_test", request=None, responses=TrialSerializer)
    @action(detail=True, methods=["post"], url_path="test")
    def test(self, request: Request, pk: str) -> Response:
        """Send a test message now, and answer how that went; whoever may edit the channel may."""
        outcome = services.try_channel(channel=self.get_object(), by=self.request.auth, now=clock.now())
        return Response(TrialSerializer(outcome).data)
