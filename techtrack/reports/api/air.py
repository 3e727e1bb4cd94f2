"""Reports on the air of a site as a resource: draw up, read in several forms, sign."""

from __future__ import annotations

from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from techtrack.accounts.models import Site
from techtrack.airquality.limit_sets import LIMIT_SETS, limit_set
from techtrack.airquality.standard import standards
from techtrack.core import clock
from techtrack.core.api import concurrency
from techtrack.core.api.fields import ChoiceField, ObjectField, VisibleField, refuse_unknown_fields
from techtrack.core.api.filters import FilterSet, IdFilter
from techtrack.core.api.idempotency import keyed
from techtrack.core.api.viewsets import ResourceViewSet
from techtrack.core.clock import isoformat
from techtrack.reports import services
from techtrack.reports.api import forms
from techtrack.reports.domain.canonical import checksum
from techtrack.reports.domain.periods import read_period
from techtrack.reports.models import AirReport, State
from techtrack.reports.queries import Asked, people_of, with_names

USUAL_LIMITS, USUAL_STANDARD = "eu_2024", "us_epa"


class AirReportSerializer(serializers.ModelSerializer[AirReport]):
    """The air of a site in a month or a year, held against limits and an index standard."""

    site = VisibleField(queryset=Site.objects.all())
    period = serializers.CharField(max_length=7, help_text="`2026`, or `2026-11`")
    limits = ChoiceField(choices=[*LIMIT_SETS], required=False, help_text=f"`{USUAL_LIMITS}` if left out")
    standard = ChoiceField(choices=standards.names(), required=False, help_text=f"`{USUAL_STANDARD}` if left out")

    class Meta:
        model = AirReport
        fields = [
            "id",
            "site",
            "period",
            "limits",
            "standard",
            "state",
            "checksum",
            "drawn_up_at",
            "drawn_up_by",
            "signed_at",
            "signed_by",
            "signer",
            "version",
            "created_at",
            "updated_at",
        ]
        read_only_fields = [name for name in fields if name not in {"site", "period", "limits", "standard"}]
        # What is there already is a conflict, as the service says it.
        validators: ClassVar[list[Any]] = []


class WholeAirReportSerializer(AirReportSerializer):
    """A report with what it says."""

    intact = serializers.SerializerMethodField(help_text="whether the content still has the checksum")
    people = serializers.SerializerMethodField(
        help_text="user names by the numbers in `content`, of who is still there"
    )
    content = ObjectField(read_only=True)

    class Meta(AirReportSerializer.Meta):
        fields = [*AirReportSerializer.Meta.fields, "intact", "people", "content"]
        read_only_fields = [*AirReportSerializer.Meta.read_only_fields, "intact", "people", "content"]

    def get_intact(self, report: AirReport) -> bool:
        """Compare what is stored with its checksum."""
        return checksum(report.content) == report.checksum

    def get_people(self, report: AirReport) -> dict[str, str]:
        """Name those whom the content cites."""
        return {str(number): name for number, name in people_of(report.content).items()}


class SignatureSerializer(serializers.Serializer[Any]):
    """What was read is named by its checksum, so that nothing else is signed."""

    checksum = serializers.RegexField(r"^[0-9a-f]{64}\Z")


@extend_schema_field(OpenApiTypes.STR)
class PeriodFilter(django_filters.CharFilter):
    """``2026``, or ``2026-11``."""

    def __init__(self) -> None:
        super().__init__(validators=[lambda text: read_period(text, pointer="?period")])


class AirReportFilter(FilterSet):
    """Reports by site, period and state."""

    site = IdFilter()
    period = PeriodFilter()
    state = django_filters.ChoiceFilter(choices=State.choices)


@extend_schema_view(update=extend_schema(exclude=True), partial_update=extend_schema(exclude=True))
class AirReportViewSet(ResourceViewSet):
    """Reports on the air; a signed one never changes."""

    http_method_names = ["get", "post", "delete", "head", "options"]
    content_negotiation_class = forms.ByFormat
    queryset = AirReport.objects.select_related("site")
    serializer_class = AirReportSerializer
    filterset_class = AirReportFilter
    ordering_fields = ["period", "drawn_up_at", "signed_at", "created_at"]
    ordering = ["-period", "-id"]

    def get_queryset(self) -> QuerySet:
        rows = super().get_queryset()
        return rows.defer("content") if self.action == "list" else rows

    def get_serializer_class(self) -> type[AirReportSerializer]:
        return AirReportSerializer if self.action == "list" else WholeAirReportSerializer

    def known_parameters(self) -> set[str]:
        return super().known_parameters() | ({"format"} if self.action == "retrieve" else set())

    def add(self, data: dict[str, Any]) -> AirReport:
        asked = _asked(data["site"], data["period"], data.get("limits"), data.get("standard"))
        return services.draw_up(asked=asked, by=self.request.auth, now=clock.now())

    def drop(self, instance: AirReport, expected: int | None) -> None:
        services.delete_report(report=instance, by=self.request.auth, expected=expected)

    @extend_schema(
        parameters=[forms.described(forms.HTML, forms.XLSX)],
        responses={
            (200, "application/json"): WholeAirReportSerializer,
            (200, forms.MEDIA_TYPES[forms.HTML]): OpenApiTypes.STR,
            (200, forms.MEDIA_TYPES[forms.XLSX]): OpenApiTypes.BINARY,
        },
    )
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response | HttpResponse:  # type: ignore[override]
        """Give a report: as JSON, as a page that prints well, or as a workbook."""
        form = forms.asked_form(request, forms.HTML, forms.XLSX)
        if form == forms.JSON:
            return super().retrieve(request, *args, **kwargs)
        report: AirReport = self.get_object()
        return forms.written(request, form, content=with_names(report.content), about=_about(report))

    @extend_schema(operation_id="air_reports_sign", request=SignatureSerializer, responses=WholeAirReportSerializer)
    @action(detail=True, methods=["post"])
    @keyed
    def sign(self, request: Request, **_: Any) -> Response:
        """Sign what was read: from then on it never changes."""
        # Before anything is looked up: to a key it does not matter which report it is.
        services.require_person(by=self.request.auth)
        form = SignatureSerializer(data=request.data)
        refuse_unknown_fields(request.data, form)
        form.is_valid(raise_exception=True)
        read = form.validated_data["checksum"]
        report = services.sign_report(report=self.get_object(), read=read, by=self.request.auth, now=clock.now())
        return concurrency.tag(Response(self.fresh(report)), report)

    @extend_schema(operation_id="air_reports_refresh", request=None, responses=WholeAirReportSerializer)
    @action(detail=True, methods=["post"])
    @keyed
    def refresh(self, request: Request, **_: Any) -> Response:
        """Draw a preliminary report up anew, of the readings as they are now."""
        report: AirReport = self.get_object()
        asked = _asked(report.site, report.period, report.limits, report.standard)
        expected = concurrency.expected_version(request, report.version)
        by = self.request.auth
        changed = services.refresh_report(report=report, asked=asked, by=by, expected=expected, now=clock.now())
        return concurrency.tag(Response(self.fresh(changed)), changed)


def _asked(site: Site, period: str, limits: str | None, standard: str | None) -> Asked:
    return Asked(
        site,
        read_period(period),
        limit_set(limits or USUAL_LIMITS, pointer="/limits"),
        standards.get(standard or USUAL_STANDARD, pointer="/standard"),
    )


def _about(report: AirReport) -> dict[str, Any]:
    return {
        "title": report.content["title"],
        "state": report.state,
        "checksum": report.checksum,
        "drawn_up_at": isoformat(report.drawn_up_at),
        "signed_at": isoformat(report.signed_at) if report.signed_at else "",
        "signed_by": report.signer,
    }
