"""What is counted of assets for their plans, and the replacement of a counter."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from techtrack.assets.models import Kind
from techtrack.core import clock
from techtrack.core.api.fields import MomentField, NumberField, refuse_unknown_fields
from techtrack.core.api.idempotency import keyed
from techtrack.core.api.viewsets import ReadOnlyViewSet
from techtrack.core.clock import from_micros, isoformat
from techtrack.tasks import services
from techtrack.tasks.api.upkeep_filters import MeterFilter
from techtrack.tasks.domain.reasons import Reason
from techtrack.tasks.models import AssetMeter
from techtrack.tasks.queries.counting import pace_of


class MeterSerializer(serializers.Serializer[Any]):
    """What was counted of an asset since somebody asked for it, and how much that is a day."""

    id = serializers.IntegerField()
    equipment = serializers.IntegerField(allow_null=True)
    sensor = serializers.IntegerField(allow_null=True)
    kind = serializers.ChoiceField(choices=["hours", "cycles", "dose", "counter"])
    parameter = serializers.CharField()
    above = serializers.FloatField(allow_null=True)
    most_per_day = serializers.FloatField(allow_null=True)
    total = serializers.FloatField()
    counted_until = serializers.DateTimeField(allow_null=True)
    behind = serializers.BooleanField(help_text="There are more readings than were counted so far.")
    per_day = serializers.FloatField(allow_null=True, help_text="On average, over the last weeks.")
    reason = serializers.ChoiceField(
        choices=[Reason.PROJECTED.value, Reason.TOO_LITTLE_HISTORY.value, Reason.NOT_USED.value],
        help_text="Why there is no pace, where there is none.",
    )

    def to_representation(self, instance: AssetMeter) -> dict[str, Any]:
        pace = pace_of(instance, now=clock.now())
        return {
            "id": instance.pk,
            "equipment": instance.asset_id if instance.asset.kind == Kind.EQUIPMENT else None,
            "sensor": instance.asset_id if instance.asset.kind == Kind.SENSOR else None,
            "kind": instance.kind,
            "parameter": instance.parameter,
            "above": instance.above,
            "most_per_day": instance.most_per_day,
            "total": instance.total,
            "counted_until": None if instance.time is None else isoformat(from_micros(instance.time)),
            "behind": instance.behind,
            "per_day": pace.per_day,
            "reason": pace.reason.value,
        }


class ReplacedSerializer(serializers.Serializer[Any]):
    """What the new counter shows, and when it was put in; now, where nothing is said."""

    shows = NumberField(lowest=0)
    at = MomentField(required=False)


class MeterViewSet(ReadOnlyViewSet):
    """What is counted of assets: hours run, cycles, a dose, or what a counter of their own shows."""

    queryset = AssetMeter.objects.select_related("asset__type")
    serializer_class = MeterSerializer
    filterset_class = MeterFilter
    ordering_fields = ["id", "total"]
    ordering = ["id"]

    @extend_schema(operation_id="meters_replace", request=ReplacedSerializer, responses=MeterSerializer)
    @action(detail=True, methods=["post"])
    @keyed
    def replace(self, request: Request, **_: Any) -> Response:
        """Say that a counter was replaced: what was counted so far stays, and goes on from what the new one shows."""
        row: AssetMeter = self.get_object()
        form = ReplacedSerializer(data=request.data)
        refuse_unknown_fields(request.data, form)
        form.is_valid(raise_exception=True)
        said, now = form.validated_data, clock.now()
        replaced = services.replace_counter(
            row=row, by=self.request.auth, shows=said["shows"], at=said.get("at", now), now=now
        )
        return Response(self.get_serializer(replaced).data)
