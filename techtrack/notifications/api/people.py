"""Rotas as a resource, and how the caller wants to be told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from techtrack.accounts.models import Site, User
from techtrack.alerts.domain.condition import SEVERITIES
from techtrack.core import clock
from techtrack.core.api.fields import MomentField, VisibleField, WholeSerializer
from techtrack.core.api.viewsets import ResourceViewSet
from techtrack.core.errors import Invalid
from techtrack.notifications import queries, services
from techtrack.notifications.api.fields import ClockField, DayTimeField, IdsField
from techtrack.notifications.api.filters import SiteFilter
from techtrack.notifications.models import Preference, Rota


class IsoMomentField(MomentField):
    """A time that is kept inside JSON, as text."""

    def to_internal_value(self, value: Any) -> str:  # type: ignore[override]
        return clock.isoformat(super().to_internal_value(value))

    def to_representation(self, value: Any) -> str:
        return str(value)


class OverrideSerializer(WholeSerializer):
    """Somebody stands in, from a time until another."""

    person = serializers.IntegerField(min_value=1, max_value=2**63 - 1)

    def get_fields(self) -> dict[str, Any]:
        # Their names on the wire are words of Python.
        return {"from": IsoMomentField(), "to": IsoMomentField(), **super().get_fields()}


class RotaSerializer(serializers.ModelSerializer):
    """Who is on call: people take turns of so many days, handed over at one time of the day."""

    site = VisibleField(queryset=Site.objects.all(), required=False, allow_null=True)
    people = IdsField(help_text="Ids of people, in the order of their turns.", allow_empty=False)
    turn = serializers.IntegerField(min_value=1, max_value=366, required=False, help_text="Days of a turn.")
    starts_at = MomentField(help_text="When the first turn begins; on the clock of `timezone`, all others do then.")
    timezone = serializers.CharField(max_length=64, required=False)
    overrides = serializers.ListField(child=OverrideSerializer(), max_length=100, required=False)

    class Meta:
        model = Rota
        fields = [
            "id",
            "name",
            "site",
            "people",
            "turn",
            "starts_at",
            "timezone",
            "overrides",
            "version",
            "created_at",
            "updated_at",
        ]
        read_only_fields = ["version", "created_at", "updated_at"]


class OnCallSerializer(serializers.Serializer):
    """Who is on call at a time, and when next somebody else may be."""

    at = serializers.DateTimeField()
    person = serializers.IntegerField(allow_null=True)
    name = serializers.CharField()
    until = serializers.DateTimeField(allow_null=True)


class RotaViewSet(ResourceViewSet):
    """Who is on call when; operators read rotas, engineers manage them."""

    queryset = Rota.objects.all()
    serializer_class = RotaSerializer
    filterset_class = SiteFilter
    ordering_fields = ["name", "created_at", "updated_at"]
    ordering = ["name", "id"]
    search_fields = ["name"]

    def known_parameters(self) -> set[str]:
        return super().known_parameters() | ({"at"} if self.action == "on_call" else set())

    def add(self, data: dict[str, Any]) -> Rota:
        return services.create_rota(by=self.request.auth, data=data, now=clock.now())

    def edit(self, instance: Rota, data: dict[str, Any], expected: int | None) -> Rota:
        return services.update_rota(
            by=self.request.auth, rota=instance, expected=expected, now=clock.now(), changes=data
        )

    def drop(self, instance: Rota, expected: int | None) -> None:
        services.delete_rota(by=self.request.auth, rota=instance, expected=expected)

    @extend_schema(
        operation_id="rotas_on_call",
        parameters=[OpenApiParameter("at", OpenApiTypes.DATETIME, description="Now, unless said.")],
        responses=OnCallSerializer,
    )
    @action(detail=True, methods=["get"], url_path="on-call")
    def on_call(self, request: Request, pk: str) -> Response:
        """Say who is on call now, or at a time."""
        at = _moment(request.query_params.get("at"))
        duty = services.duty(self.get_object(), at=at)
        user = User.objects.filter(pk=duty.person).first() if duty.person else None
        name = (user.get_full_name() or user.username) if user else ""
        told = {"at": at, "person": duty.person, "name": name, "until": duty.until}
        return Response(OnCallSerializer(told).data)


class QuietSerializer(WholeSerializer):
    """Hours of some days (0 is Monday) in which little comes; with an end before the beginning, until the next day."""

    days = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=6), min_length=1, max_length=7, help_text="0 is Monday."
    )

    def get_fields(self) -> dict[str, Any]:
        # Their names on the wire are words of Python.
        return {**super().get_fields(), "from": ClockField(), "to": ClockField()}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["from"] == attrs["to"]:
            raise serializers.ValidationError({"to": ["These hours end when they begin."]})
        return attrs


class PreferenceSerializer(serializers.ModelSerializer):
    """How a person wants to be told, on the clock of the person's own time zone."""

    minimum_severity = serializers.ChoiceField(choices=list(SEVERITIES), required=False)
    quiet_hours = serializers.ListField(child=QuietSerializer(), max_length=20, required=False)
    quiet_except = serializers.ChoiceField(
        choices=list(SEVERITIES), required=False, help_text="So grave, and graver, comes in quiet hours too."
    )
    digest = serializers.ChoiceField(choices=["", "hourly", "daily"], required=False)
    digest_at = DayTimeField(required=False, help_text="When the daily digest comes.")
    digest_below = serializers.ChoiceField(
        choices=list(SEVERITIES), required=False, help_text="What is milder comes in the digest."
    )

    class Meta:
        model = Preference
        fields = [
            "minimum_severity",
            "quiet_hours",
            "quiet_except",
            "digest",
            "digest_at",
            "digest_below",
            "version",
        ]
        read_only_fields = ["version"]


@extend_schema_view(
    retrieve=extend_schema(operation_id="me_notifications_retrieve"),
    update=extend_schema(operation_id="me_notifications_update"),
    partial_update=extend_schema(operation_id="me_notifications_partial_update"),
)
class PreferenceViewSet(ResourceViewSet):
    """How the caller wants to be told: quiet hours, digests, and from which severity on."""

    door = "accounts"
    http_method_names = ["get", "put", "patch", "head", "options"]
    queryset = Preference.objects.all()
    serializer_class = PreferenceSerializer
    pagination_class = None

    def get_object(self) -> Preference:
        return queries.preference_of(self.request.auth.user_id)

    def row(self, pk: int) -> Preference:
        return self.get_object()

    def edit(self, instance: Preference, data: dict[str, Any], expected: int | None) -> Preference:
        return services.set_preference(
            user_id=self.request.auth.user_id, changes=data, expected=expected, now=clock.now()
        )


def _moment(text: str | None) -> datetime:
    if text is None:
        return clock.now()
    try:
        return MomentField().run_validation(text).astimezone(UTC)  # type: ignore[no-any-return]
    except serializers.ValidationError as error:
        raise Invalid(str(error.detail[0]), pointer="?at") from error  # type: ignore[index]
