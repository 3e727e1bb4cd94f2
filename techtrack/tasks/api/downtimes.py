"""How down times look on the wire, and the door to them."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from techtrack.assets.models import Equipment, Sensor
from techtrack.core import clock
from techtrack.core.api import concurrency
from techtrack.core.api.bulk import BulkViewSet
from techtrack.core.api.fields import MomentField, ResourceSerializer, VisibleField, refuse_unknown_fields
from techtrack.core.api.idempotency import keyed
from techtrack.tasks import services
from techtrack.tasks.api.upkeep_filters import DowntimeFilter
from techtrack.tasks.models import Downtime, Task


class DowntimeSerializer(ResourceSerializer):
    """When an asset was out of work, as planned or because it failed. Exactly one of equipment and sensor is given."""

    equipment = VisibleField(queryset=Equipment.objects.all(), required=False, allow_null=True)
    sensor = VisibleField(queryset=Sensor.objects.all(), required=False, allow_null=True)
    starts_at = MomentField(required=False, help_text="Now, where nothing is said.")
    ends_at = MomentField(required=False, allow_null=True, help_text="null: it is down still.")
    planned = serializers.BooleanField(required=False, help_text="It was no failure.")
    task = VisibleField(queryset=Task.objects.all(), required=False, allow_null=True)

    class Meta:
        model = Downtime
        fields = [
            "id",
            "equipment",
            "sensor",
            "starts_at",
            "ends_at",
            "planned",
            "reason",
            "task",
            "created_by",
            "created_at",
            "updated_at",
            "version",
        ]
        read_only_fields = ["created_by", "created_at", "updated_at", "version"]
        # The checks of the constraints would name no field; the service does.
        validators: ClassVar[list[Any]] = []

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Bring the two names of the asset into the one that the services take."""
        named = {name: attrs.pop(name) for name in ("equipment", "sensor") if name in attrs}
        given = [asset for asset in named.values() if asset is not None]
        if len(given) > 1:
            raise serializers.ValidationError({"sensor": "Equipment or a sensor was down, not both."})
        if given:
            return attrs | {"asset": given[0]}
        # null empties only the name that the asset goes by: the other one is empty anyway.
        if not self.partial or any(getattr(self.instance, name, None) for name in named):
            name = next(iter(named), "equipment")
            raise serializers.ValidationError({name: "Equipment or a sensor is needed."}, code="required")
        return attrs


class DowntimeViewSet(BulkViewSet):
    """Down times: when assets were out of work, the newest first."""

    queryset = Downtime.objects.select_related("asset", "task")
    serializer_class = DowntimeSerializer
    filterset_class = DowntimeFilter
    search_fields = ["reason", "asset__name"]
    ordering_fields = ["starts_at", "ends_at", "created_at", "updated_at"]
    ordering = ["-starts_at", "-id"]

    def add(self, data: dict[str, Any]) -> Downtime:
        return services.create_downtime(by=self.request.auth, data=data, now=clock.now())

    def edit(self, instance: Downtime, data: dict[str, Any], expected: int | None) -> Downtime:
        return services.update_downtime(
            downtime=instance, by=self.request.auth, changes=data, expected=expected, now=clock.now()
        )

    def drop(self, instance: Downtime, expected: int | None) -> None:
        services.delete_downtime(downtime=instance, by=self.request.auth, expected=expected)

    @extend_schema(operation_id="downtimes_end", request=None, responses=DowntimeSerializer)
    @action(detail=True, methods=["post"])
    @keyed
    def end(self, request: Request, **_: Any) -> Response:
        """Say that the asset works again, from now on."""
        refuse_unknown_fields(request.data, serializers.Serializer())
        row: Downtime = self.get_object()
        expected = concurrency.expected_version(request, row.version)
        ended = self._guarded(
            row,
            lambda: services.end_downtime(downtime=row, by=self.request.auth, expected=expected, now=clock.now()),
        )
        return concurrency.tag(Response(self.fresh(ended)), ended)
