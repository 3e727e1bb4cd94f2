"""The doors of assets: equipment and sensors are one implementation under two names."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

from django.db.models import F, QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from techtrack.accounts import services as accounts
from techtrack.accounts.domain.access import Scope
from techtrack.accounts.models import ApiKey
from techtrack.assets import queries, services
from techtrack.assets.api.filters import AssetFilters, AssetTypeFilters, KeyFilters, ParameterFilters
from techtrack.assets.api.serializers import (
    AssetSerializer,
    IssuedKeySerializer,
    KeySerializer,
    ParameterSerializer,
    RotationSerializer,
)
from techtrack.assets.api.types import AssetTypeSerializer, NewAssetTypeSerializer, PacksSerializer
from techtrack.assets.models import Asset, AssetType, Equipment, Kind, Parameter, Sensor
from techtrack.core import clock
from techtrack.core.api import concurrency
from techtrack.core.api.bulk import BulkViewSet
from techtrack.core.api.fields import refuse_unknown_fields
from techtrack.core.api.keeping import KeptListViewSet
from techtrack.core.api.viewsets import ResourceViewSet


def _shown(rows: QuerySet) -> QuerySet:
    """Take with ``rows`` what is shown of them; a type's list of parameters can be long, and is not."""
    shown = rows.select_related("type", "state").defer("type__parameters")
    ordered: QuerySet = shown.alias(last_seen=F("state__last_seen"))
    return ordered


class AssetViewSet(BulkViewSet):
    """Assets of one ``kind``."""

    kind: ClassVar[Kind]
    serializer_class = AssetSerializer
    filterset_class = AssetFilters
    search_fields = ["name", "key", "model", "serial_number", "manufacturer", "description"]
    ordering_fields = ["id", "name", "status", "last_seen", "created_at", "updated_at"]
    ordering = ["name", "id"]

    def known_parameters(self) -> set[str]:
        return super().known_parameters() | ({"confirm"} if self.action == "destroy" else set())

    @extend_schema(
        parameters=[OpenApiParameter("confirm", description="The asset's name, to delete what is kept of it as well.")]
    )
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response | HttpResponse:
        """Delete it; 409 tells what would be deleted with it, unless ``confirm`` is its name."""
        return super().destroy(request, *args, **kwargs)

    def add(self, data: dict[str, Any]) -> Asset:
        return services.create_asset(kind=self.kind, by=self.request.auth, now=clock.now(), data=data)

    def edit(self, instance: Asset, data: dict[str, Any], expected: int | None) -> Asset:
        return services.update_asset(
            asset=instance, by=self.request.auth, changes=data, expected=expected, now=clock.now()
        )

    def drop(self, instance: Asset, expected: int | None) -> None:
        confirm = self.request.query_params.get("confirm")
        services.delete_asset(asset=instance, by=self.request.auth, confirm=confirm, expected=expected)


class EquipmentViewSet(AssetViewSet):
    """Machines, robots, stations."""

    kind = Kind.EQUIPMENT
    queryset = _shown(Equipment.objects.all())


class SensorViewSet(AssetViewSet):
    """Air-quality stations and the like."""

    kind = Kind.SENSOR
    queryset = _shown(Sensor.objects.all())


class AssetTypeViewSet(KeptListViewSet, BulkViewSet):
    """Kinds of assets: what they measure, how often, and how long it is kept."""

    queryset = AssetType.objects.all()
    serializer_class = AssetTypeSerializer
    filterset_class = AssetTypeFilters
    search_fields = ["slug", "name"]
    ordering_fields = ["id", "slug", "name", "created_at", "updated_at"]
    ordering = ["slug"]

    def get_serializer_class(self) -> type[AssetTypeSerializer]:
        return NewAssetTypeSerializer if self.action == "create" else AssetTypeSerializer

    @extend_schema(request=NewAssetTypeSerializer, responses={201: AssetTypeSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response | HttpResponse:  # type: ignore[override]
        """Make a type; a ``pack`` fills in what is not given, and its rules are made for the type."""
        return super().create(request, *args, **kwargs)

    @extend_schema(operation_id="asset_types_packs", responses=PacksSerializer)
    @action(detail=False, methods=["get"])
    def packs(self, request: Request) -> Response:
        """List the packs that types can begin with: parameters, ranges and rules."""
        return Response(PacksSerializer({"results": queries.packs_for(self.request.auth)}).data)

    def add(self, data: dict[str, Any]) -> AssetType:
        pack = data.pop("pack", None)
        return services.create_asset_type(by=self.request.auth, now=clock.now(), data=data, pack=pack)

    def edit(self, instance: AssetType, data: dict[str, Any], expected: int | None) -> AssetType:
        return services.update_asset_type(
            asset_type=instance, by=self.request.auth, changes=data, expected=expected, now=clock.now()
        )

    def drop(self, instance: AssetType, expected: int | None) -> None:
        services.delete_asset_type(asset_type=instance, by=self.request.auth, expected=expected)


class ParameterViewSet(KeptListViewSet, BulkViewSet):
    """What is measured: code, UCUM unit, labels of states."""

    queryset = Parameter.objects.all()
    serializer_class = ParameterSerializer
    filterset_class = ParameterFilters
    search_fields = ["code", "name"]
    ordering_fields = ["id", "code", "name", "created_at", "updated_at"]
    ordering = ["code"]

    def add(self, data: dict[str, Any]) -> Parameter:
        return services.create_parameter(by=self.request.auth, now=clock.now(), data=data)

    def edit(self, instance: Parameter, data: dict[str, Any], expected: int | None) -> Parameter:
        return services.update_parameter(
            parameter=instance, by=self.request.auth, changes=data, expected=expected, now=clock.now()
        )

    def drop(self, instance: Parameter, expected: int | None) -> None:
        services.delete_parameter(parameter=instance, by=self.request.auth, expected=expected)


class KeyViewSet(ResourceViewSet):
    """API and device keys: what machines show instead of a password."""

    door = "accounts"
    queryset = ApiKey.objects.all()
    serializer_class = KeySerializer
    filterset_class = KeyFilters
    search_fields = ["name", "prefix"]
    ordering_fields = ["id", "name", "expires_at", "last_used", "created_at"]
    ordering = ["-id"]

    @extend_schema(responses={201: IssuedKeySerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Make a key; its text is shown this once."""
        # No Idempotency-Key here: its record would keep the text.
        serializer = self.get_serializer(data=request.data)
        refuse_unknown_fields(request.data, serializer)
        serializer.is_valid(raise_exception=True)
        data = serializer.validated_data
        key, text = accounts.create_key(
            by=self.request.auth,
            name=data["name"],
            scope=Scope(data["scope"]),
            site=data.get("site"),
            asset_id=data.get("asset_id"),
            expires_at=data.get("expires_at"),
            allowed_addresses=data.get("allowed_addresses", []),
            now=clock.now(),
        )
        return self._issued(key, text)

    @extend_schema(
        operation_id="keys_rotate",
        request=RotationSerializer,
        responses={201: IssuedKeySerializer},
        parameters=[OpenApiParameter("If-Match", location="header", description="The ETag you have seen.")],
    )
    @action(detail=True, methods=["post"])
    def rotate(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Give the key a new text, shown this once; the old one opens nothing any more once ``overlap`` is over."""
        form = RotationSerializer(data=request.data)
        refuse_unknown_fields(request.data, form)
        form.is_valid(raise_exception=True)
        overlap = timedelta(seconds=form.validated_data["overlap"])
        key = self.get_object()
        expected = concurrency.expected_version(request, key.version)
        by = self.request.auth
        work = partial(accounts.rotate_key, key=key, by=by, overlap=overlap, expected=expected, now=clock.now())
        return self._issued(*self._guarded(key, work))

    def edit(self, instance: ApiKey, data: dict[str, Any], expected: int | None) -> ApiKey:
        return accounts.update_key(key=instance, by=self.request.auth, changes=data, expected=expected, now=clock.now())

    def drop(self, instance: ApiKey, expected: int | None) -> None:
        accounts.revoke_key(key=instance, by=self.request.auth, expected=expected)

    def _issued(self, key: ApiKey, text: str) -> Response:
        response = Response({**self.get_serializer(key).data, "key": text}, status=201)
        response["Location"] = self.request.build_absolute_uri(f"/api/keys/{key.pk}/")
        response["Cache-Control"] = "no-store"
        return concurrency.tag(response, key)
