"""Routes as a resource: who gets what, and when."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from rest_framework import serializers

from techtrack.accounts.models import Site
from techtrack.alerts.domain.condition import SEVERITIES
from techtrack.assets.models import AssetType
from techtrack.core import clock
from techtrack.core.api.fields import IsoDurationField, VisibleField, WholeSerializer
from techtrack.core.api.viewsets import ResourceViewSet
from techtrack.notifications import services
from techtrack.notifications.api.fields import IdsField
from techtrack.notifications.api.filters import SiteFilter
from techtrack.notifications.domain.escalation import MOST_ROWS
from techtrack.notifications.domain.grouping import GROUP_LABELS
from techtrack.notifications.models import Route

LONGEST_WAIT = timedelta(days=1)


class EscalationSerializer(WholeSerializer):
    """Who is told besides, so long after the first message, while nobody has acknowledged."""

    after = serializers.CharField(max_length=40, help_text="ISO 8601, such as PT10M; each row later than the last.")
    channels = IdsField(required=False)
    people = IdsField(required=False)
    rotas = IdsField(required=False)


class RouteSerializer(serializers.ModelSerializer):
    """Who gets what, and when. What a matcher leaves out, or empty, matches everything."""

    site = VisibleField(queryset=Site.objects.all(), required=False, allow_null=True)
    asset_type = serializers.SlugRelatedField(
        slug_field="slug", queryset=AssetType.objects.all(), required=False, allow_null=True
    )
    minimum_severity = serializers.ChoiceField(choices=list(SEVERITIES), required=False)
    tags = serializers.ListField(child=serializers.CharField(max_length=64), max_length=50, required=False)
    channels = IdsField(source="channel_ids", default=list, help_text="Ids of channels.")
    people = IdsField(required=False, help_text="Ids of people, each told by own channels, else by e-mail.")
    rotas = IdsField(required=False, help_text="Ids of rotas, of which whoever is on call is told.")
    group_by = serializers.ListField(
        child=serializers.ChoiceField(choices=GROUP_LABELS),
        max_length=len(GROUP_LABELS),
        required=False,
        help_text="Alerts that agree in these share messages; by none, each alert has its own.",
    )
    group_wait = IsoDurationField(
        longest=LONGEST_WAIT, required=False, help_text="How long the first message waits for further alerts."
    )
    group_interval = IsoDurationField(
        longest=LONGEST_WAIT, required=False, help_text="How far apart the messages of a group are, unless graver."
    )
    repeat_every = IsoDurationField(
        longest=timedelta(days=30), required=False, allow_null=True, help_text="Until somebody acknowledges."
    )
    escalation = serializers.ListField(child=EscalationSerializer(), max_length=MOST_ROWS, required=False)

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
            "people",
            "rotas",
            "group_by",
            "group_wait",
            "group_interval",
            "repeat_every",
            "escalation",
            "tell_returned",
            "enabled",
            "version",
            "created_at",
            "updated_at",
        ]
        read_only_fields = ["version", "created_at", "updated_at"]


class RouteViewSet(ResourceViewSet):
    """Which alerts go to whom; operators read routes, engineers manage them."""

    queryset = Route.objects.select_related("asset_type").prefetch_related("channels")
    serializer_class = RouteSerializer
    filterset_class = SiteFilter
    ordering_fields = ["name", "created_at", "updated_at"]
    ordering = ["name", "id"]
    search_fields = ["name"]

    def add(self, data: dict[str, Any]) -> Route:
        return services.create_route(by=self.request.auth, data=data, now=clock.now())

    def edit(self, instance: Route, data: dict[str, Any], expected: int | None) -> Route:
        return services.update_route(
            by=self.request.auth, route=instance, expected=expected, now=clock.now(), changes=data
        )

    def drop(self, instance: Route, expected: int | None) -> None:
        services.delete_route(by=self.request.auth, route=instance, expected=expected)
