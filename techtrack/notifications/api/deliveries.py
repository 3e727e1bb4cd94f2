"""Deliveries as a resource: what was sent, what waits and what was given up, which can be tried again."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from techtrack.core import clock
from techtrack.core.api import idempotency
from techtrack.core.api.fields import refuse_unknown_fields
from techtrack.core.api.filters import BIGGEST_ID
from techtrack.core.api.viewsets import ReadOnlyViewSet
from techtrack.core.errors import Fault, Invalid
from techtrack.notifications import services
from techtrack.notifications.api.filters import DeliveryFilter
from techtrack.notifications.models import Delivery, DeliveryQuerySet


class DeliverySerializer(serializers.ModelSerializer):
    """One message to one channel, and how far it has come; ``alert`` is the one it is about, if it is but one."""

    reached: Any = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="Of several addresses, those that have it already."
    )
    answer: Any = serializers.CharField(read_only=True, help_text="What the other side said when it took it.")
    alerts: Any = serializers.PrimaryKeyRelatedField(many=True, read_only=True, help_text="Every alert it is about.")

    class Meta:
        model = Delivery
        fields = [
            "id",
            "channel",
            "route",
            "group",
            "alert",
            "alerts",
            "site",
            "person",
            "event",
            "severity",
            "subject",
            "state",
            "attempts",
            "next_attempt_at",
            "merged_into",
            "error",
            "reached",
            "answer",
            "created_at",
            "sent_at",
        ]
        read_only_fields = fields


class RetrySerializer(serializers.Serializer):
    """Which given-up messages to try again: by id, or all of a channel."""

    ids = serializers.ListField(child=serializers.UUIDField(), max_length=1000, min_length=1, required=False)
    channel = serializers.IntegerField(min_value=1, max_value=BIGGEST_ID, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs:
            raise Invalid("say which", faults=[Fault("/ids", "required", "ids or a channel are required")])
        return attrs


class RetriedSerializer(serializers.Serializer):
    """How many messages wait to be sent again."""

    retried = serializers.IntegerField()


class DeliveryViewSet(ReadOnlyViewSet):
    """What was sent, what waits and what was given up."""

    queryset = Delivery.objects.prefetch_related("alerts").defer("body", "facts")
    lookup_field = "id"
    serializer_class = DeliverySerializer
    filterset_class = DeliveryFilter
    ordering_fields = ["created_at", "next_attempt_at", "sent_at"]
    ordering = ["-created_at", "-id"]

    @extend_schema(operation_id="deliveries_retry", request=None, responses=DeliverySerializer)
    @action(detail=True, methods=["post"])
    @idempotency.keyed
    def retry(self, request: Request, id: str) -> Response:  # noqa: A002 - the router's name for it
        """Try a message again that was given up, under the same id."""
        delivery = services.retry_delivery(delivery=self.get_object(), by=request.auth, now=clock.now())  # type: ignore[arg-type]
        return Response(self.get_serializer(delivery).data)

    @extend_schema(operation_id="deliveries_retry_many", request=RetrySerializer, responses=RetriedSerializer)
    @action(detail=False, methods=["post"], url_path="retry")
    @idempotency.keyed
    def retry_many(self, request: Request) -> Response:
        """Try messages again that were given up: those named, or all of a channel (10,000 at once)."""
        asked = RetrySerializer(data=request.data)
        refuse_unknown_fields(request.data, asked)
        asked.is_valid(raise_exception=True)
        rows: DeliveryQuerySet = Delivery.objects.all()
        if "ids" in asked.validated_data:
            rows = rows.filter(pk__in=asked.validated_data["ids"])
        if "channel" in asked.validated_data:
            rows = rows.filter(channel=asked.validated_data["channel"])
        count = services.retry_deliveries(rows=rows, by=request.auth, now=clock.now())  # type: ignore[arg-type]
        return Response(RetriedSerializer({"retried": count}).data)
