"""The doors to plans: what they ask for, of which assets, and what is to come."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import F, OuterRef, QuerySet, Subquery
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from techtrack.assets.models import Asset, Kind
from techtrack.core import clock
from techtrack.core.api import spans
from techtrack.core.api.bulk import BulkViewSet
from techtrack.core.api.fields import refuse_unknown_fields
from techtrack.core.api.idempotency import keyed
from techtrack.core.api.viewsets import StrictViewSet
from techtrack.core.clock import from_micros, isoformat
from techtrack.tasks import services
from techtrack.tasks.api.asked import asked_place
from techtrack.tasks.api.fields import TaskSerializer
from techtrack.tasks.api.made import made
from techtrack.tasks.api.plan_fields import AheadSerializer, PlanAssetSerializer, PlanSerializer
from techtrack.tasks.api.upkeep_filters import PlanFilter
from techtrack.tasks.models import Course, Plan
from techtrack.tasks.queries.upcoming import Coming, upcoming

AHEAD = timedelta(days=30)


class ComingSerializer(serializers.Serializer[Any]):
    """Work that is to come."""

    plan = serializers.IntegerField()
    plan_name = serializers.CharField()
    equipment = serializers.IntegerField(allow_null=True)
    sensor = serializers.IntegerField(allow_null=True)
    asset_name = serializers.CharField()
    due = serializers.DateTimeField()
    kind = serializers.ChoiceField(choices=["calendar", "meter"])
    certain = serializers.BooleanField(help_text="false: counted from work that is not done yet, or by a meter's pace.")


class UpcomingSerializer(serializers.Serializer[Any]):
    """What plans will ask for, in order of time."""

    results = ComingSerializer(many=True)


def _coming(one: Coming) -> dict[str, Any]:
    asset, plan = one.course.asset, one.course.plan
    return {
        "plan": plan.pk,
        "plan_name": plan.name,
        "equipment": asset.pk if asset.kind == Kind.EQUIPMENT else None,
        "sensor": asset.pk if asset.kind == Kind.SENSOR else None,
        "asset_name": asset.name,
        "due": isoformat(one.due),
        "kind": one.kind,
        "certain": one.certain,
    }


class PlanViewSet(BulkViewSet):
    """Plans: what brings the same work again and again."""

    queryset = Plan.objects.select_related("asset__site", "asset_type", "site").prefetch_related("owner_rows")
    serializer_class = PlanSerializer
    filterset_class = PlanFilter
    search_fields = ["name", "title", "description"]
    ordering_fields = ["name", "created_at", "updated_at"]
    ordering = ["name", "id"]

    def get_queryset(self) -> QuerySet:
        seen = Course.objects.visible_to(self.request.auth).filter(plan=OuterRef("pk"))
        first = seen.order_by(F("due").asc(nulls_last=True), "pk").values("pk")[:1]
        rows: QuerySet = super().get_queryset().annotate(next_course=Subquery(first))
        return rows

    def add(self, data: dict[str, Any]) -> Plan:
        return services.create_plan(by=self.request.auth, data=data, now=clock.now())

    def edit(self, instance: Plan, data: dict[str, Any], expected: int | None) -> Plan:
        return services.update_plan(
            plan=instance, by=self.request.auth, changes=data, expected=expected, now=clock.now()
        )

    def drop(self, instance: Plan, expected: int | None) -> None:
        services.delete_plan(plan=instance, by=self.request.auth, expected=expected)

    def known_parameters(self) -> set[str]:
        own = {"from", "to", "timezone", "equipment", "sensor", "site"} if self.action == "upcoming" else set()
        return super().known_parameters() | own

    @extend_schema(
        operation_id="plans_upcoming",
        responses=UpcomingSerializer,
        parameters=[
            OpenApiParameter("from", OpenApiTypes.STR, description="a time with an offset, or a day; now if left out"),
            OpenApiParameter("to", OpenApiTypes.STR, description="likewise; 30 days later if left out, 366 at most"),
            OpenApiParameter("timezone", OpenApiTypes.STR, description="on whose clock days begin; the site's, or UTC"),
            *(OpenApiParameter(name, OpenApiTypes.INT64) for name in ("equipment", "sensor", "site")),
        ],
    )
    @action(detail=False, methods=["get"])
    def upcoming(self, request: Request) -> Response:
        """Tell what plans will ask for, of the assets that the caller may see: of each plan at each the first 400."""
        place, now = asked_place(request), clock.now()
        start, end = spans.ahead(request, zone=place.zone, usual=AHEAD, now=now)
        found = upcoming(
            access=self.request.auth,
            start=from_micros(start),
            end=from_micros(end),
            now=now,
            asset_id=place.asset_id,
            site_id=place.site_id,
        )
        return Response({"results": [_coming(one) for one in found]})

    @extend_schema(operation_id="plans_open", request=AheadSerializer, responses={201: TaskSerializer})
    @action(detail=True, methods=["post"], url_path="task")
    @keyed
    def task(self, request: Request, **_: Any) -> Response:
        """Open its next task now, although nothing asks for it yet."""
        plan: Plan = self.get_object()
        form = AheadSerializer(data=request.data)
        refuse_unknown_fields(request.data, form)
        form.is_valid(raise_exception=True)
        asset = _asset(plan, form.validated_data.get("asset"), self.request.auth)
        task = services.open_ahead(plan=plan, asset=asset, by=self.request.auth, now=clock.now())
        return made(request, task)


def _asset(plan: Plan, asset_id: int | None, access: Any) -> Asset:
    if asset_id is None and plan.asset is not None:
        return plan.asset
    if asset_id is None:
        raise serializers.ValidationError({"asset": "At which asset? The plan is for all of a type."})
    found = Asset.objects.visible_to(access).filter(pk=asset_id).first()
    if found is None:
        raise serializers.ValidationError({"asset": "There is no such asset."}, code="does_not_exist")
    return found


class PlanAssetsViewSet(mixins.ListModelMixin, StrictViewSet):
    """What a plan asks of each asset that it is for, what comes first."""

    queryset = Course.objects.select_related("asset")
    serializer_class = PlanAssetSerializer
    ordering_fields = ["due", "id"]
    ordering = ["due", "id"]

    def get_queryset(self) -> QuerySet:
        plan = get_object_or_404(Plan.objects.visible_to(self.request.auth), pk=self.kwargs["plan_id"])
        return super().get_queryset().filter(plan=plan)
