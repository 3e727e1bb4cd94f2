"""How silences and maintenance windows look on the wire, and the door to them."""

from __future__ import annotations

from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from techtrack.accounts.models import Site
from techtrack.alerts import hiding
from techtrack.alerts.api.fields import CODE
from techtrack.alerts.api.rules import STAMPS, known
from techtrack.alerts.domain.condition import SEVERITIES
from techtrack.alerts.domain.suppression import KINDS, Windows
from techtrack.alerts.models import Rule, Silence
from techtrack.assets.models import Asset, AssetType
from techtrack.core import clock
from techtrack.core.api.fields import IsoDurationField, MomentField, VisibleField, WholeSerializer
from techtrack.core.api.filters import BIGGEST_ID, FilterSet, IdFilter
from techtrack.core.api.viewsets import ResourceViewSet
from techtrack.core.clock import from_micros, isoformat, to_micros
from techtrack.core.errors import Invalid

SHOWN = 3


class IdsField(serializers.ListField):
    """Ids of rows; whether the caller may see them is asked of the whole."""

    def __init__(self, **kwargs: Any) -> None:
        one = serializers.IntegerField(min_value=1, max_value=BIGGEST_ID)
        super().__init__(child=one, max_length=1000, required=False, **kwargs)


class MatchersSerializer(WholeSerializer):
    """Which alerts are meant: those that match all that is set. All ``tags`` must be the asset's."""

    assets = IdsField()
    asset_type = serializers.CharField(max_length=64, required=False, help_text="The slug of an asset type.")
    tags = serializers.ListField(child=serializers.CharField(max_length=64), max_length=50, required=False)
    severities = serializers.ListField(
        child=serializers.ChoiceField(choices=SEVERITIES), max_length=len(SEVERITIES), required=False
    )
    rules = IdsField()
    parameter = serializers.RegexField(CODE, required=False)


WINDOWS_SCHEMA = {
    "type": "array",
    "maxItems": SHOWN,
    "items": {
        "type": "object",
        "required": ["starts_at", "ends_at"],
        "properties": {
            "starts_at": {"type": "string", "format": "date-time"},
            "ends_at": {"type": ["string", "null"], "format": "date-time"},
        },
    },
}


class SilenceSerializer(serializers.ModelSerializer[Silence]):
    """When alerts that match are hidden: once, or again and again on the clock of a place."""

    kind = serializers.ChoiceField(choices=KINDS, required=False, help_text="Planned work is an engineer's.")
    site = VisibleField(
        queryset=Site.objects.all(), required=False, allow_null=True, help_text="Without one, everywhere."
    )
    matchers = MatchersSerializer(required=False)
    starts_at = MomentField(help_text="With an `rrule`, what it is counted from, on the clock of `timezone`.")
    ends_at = MomentField(required=False, allow_null=True, help_text="Required without an `rrule`.")
    rrule = serializers.CharField(
        max_length=500,
        required=False,
        allow_blank=True,
        help_text="RFC 5545, such as FREQ=WEEKLY;BYDAY=SA; at most every quarter of an hour.",
    )
    duration = IsoDurationField(required=False, allow_null=True, help_text="How long each window of an `rrule` lasts.")
    timezone = serializers.CharField(
        max_length=64, required=False, help_text="An IANA name, such as Europe/Berlin; that of the site unless said"
    )
    active = serializers.SerializerMethodField(help_text="Whether it hides alerts now.")
    next_windows = serializers.SerializerMethodField(help_text="The next windows that begin.")
    created_at = MomentField(read_only=True)
    updated_at = MomentField(read_only=True)

    class Meta:
        model = Silence
        fields = [
            "id",
            "name",
            "kind",
            "site",
            "matchers",
            "starts_at",
            "ends_at",
            "rrule",
            "duration",
            "timezone",
            "reason",
            "active",
            "next_windows",
            "by",
            *STAMPS,
        ]
        read_only_fields = ["by"]

    def validate_matchers(self, matchers: dict[str, Any]) -> dict[str, Any]:
        held = self.instance.matchers if isinstance(self.instance, Silence) else {}
        for name, model in {"assets": Asset, "rules": Rule}.items():
            visible = model.objects.visible_to(self.context["request"].auth)  # type: ignore[attr-defined]
            try:
                matchers[name] = known(matchers.get(name, []), held.get(name, []), visible, name[:-1])
            except serializers.ValidationError as error:
                raise serializers.ValidationError({name: error.detail}) from error
        slug = matchers.get("asset_type")
        if slug and slug != held.get("asset_type") and not AssetType.objects.filter(slug=slug).exists():
            message = f"There is no asset type {slug}."
            raise serializers.ValidationError({"asset_type": message}, code="does_not_exist")
        return {name: value for name, value in matchers.items() if value}

    def get_active(self, silence: Silence) -> bool:
        """Tell whether it hides alerts now."""
        windows = _windows(silence)
        return bool(windows and windows.covers(to_micros(clock.now())))

    @extend_schema_field(WINDOWS_SCHEMA)
    def get_next_windows(self, silence: Silence) -> list[dict[str, str | None]]:
        """Return the windows that begin from now on."""
        windows, at, found = _windows(silence), to_micros(clock.now()), list[dict[str, str | None]]()
        if windows is None:
            return found
        if windows.covers(at):
            at = windows.next_change(at) or hiding.FOR_EVER
        while at < hiding.FOR_EVER and len(found) < SHOWN and (start := windows.next_change(at)) is not None:
            at = windows.next_change(start) or hiding.FOR_EVER
            found.append({"starts_at": _text(start), "ends_at": _text(at)})
        return found


def _windows(silence: Silence) -> Windows | None:
    try:
        return hiding.timetable(silence)
    except Invalid:
        # Such as a zone that the system has no longer; then it hides nothing.
        return None


def _text(at: int) -> str | None:
    return isoformat(from_micros(at)) if at < hiding.FOR_EVER else None


class SilenceFilter(FilterSet):
    """Filters of silences."""

    site = IdFilter(field_name="site_id")
    kind = django_filters.ChoiceFilter(choices=[(kind, kind) for kind in KINDS])


class SilenceViewSet(ResourceViewSet):
    """Silences and maintenance windows: when nobody is told of which alerts."""

    queryset = Silence.objects.select_related("site")
    serializer_class = SilenceSerializer
    filterset_class = SilenceFilter
    search_fields = ["name", "reason"]
    ordering_fields = ["id", "name", "starts_at", "ends_at", "created_at", "updated_at"]
    ordering = ["name"]

    def add(self, data: dict[str, Any]) -> Silence:
        return hiding.create_silence(by=self.request.auth, data=data, now=clock.now())

    def edit(self, instance: Silence, data: dict[str, Any], expected: int | None) -> Silence:
        return hiding.update_silence(
            silence=instance, by=self.request.auth, changes=data, expected=expected, now=clock.now()
        )

    def drop(self, instance: Silence, expected: int | None) -> None:
        hiding.delete_silence(silence=instance, by=self.request.auth, expected=expected)
