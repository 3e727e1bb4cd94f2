"""How silences and maintenance windows look on the wire, and the door to them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import django_filters
from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from techtrack.accounts.domain.access import Access
from techtrack.accounts.models import Site
from techtrack.alerts import hiding
from techtrack.alerts.api.rules import STAMPS, known
from techtrack.alerts.domain.condition import SEVERITIES
from techtrack.alerts.domain.suppression import KINDS, Windows
from techtrack.alerts.models import Rule, Silence
from techtrack.assets.models import Asset, AssetType
from techtrack.core import clock
from techtrack.core.api.bulk import BulkViewSet
from techtrack.core.api.fields import (
    ChoiceField,
    CodeField,
    IsoDurationField,
    MomentField,
    VisibleField,
    WholeSerializer,
)
from techtrack.core.api.filters import BIGGEST_ID, FilterSet, FlagFilter, IdFilter
from techtrack.core.clock import from_micros, isoformat, to_micros
from techtrack.core.errors import Invalid

SHOWN = 3


NAMED: dict[str, type[Asset | Rule]] = {"assets": Asset, "rules": Rule}


class IdsField(serializers.ListField):
    """Ids of rows; whether the caller may see them is asked of the whole."""

    def __init__(self) -> None:
        one = serializers.IntegerField(min_value=1, max_value=BIGGEST_ID)
        told = "Those that you may see: an empty list names others alone, which stay when you write it back."
        super().__init__(child=one, max_length=1000, required=False, help_text=told)


class MatchersSerializer(WholeSerializer):
    """Which alerts are meant: those that match all that is set. All ``tags`` must be the asset's."""

    assets = IdsField()
    asset_type = serializers.CharField(max_length=64, required=False, help_text="The slug of an asset type.")
    tags = serializers.ListField(child=serializers.CharField(max_length=64), max_length=50, required=False)
    severities = serializers.ListField(
        child=ChoiceField(choices=SEVERITIES), max_length=len(SEVERITIES), required=False
    )
    rules = IdsField()
    parameter = CodeField(required=False)


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

    kind = ChoiceField(choices=KINDS, required=False, help_text="Planned work is an engineer's.")
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

    def to_representation(self, instance: Silence) -> dict[str, Any]:
        told: dict[str, Any] = super().to_representation(instance)
        shown = {name: self._shown(name, ids) for name, ids in told["matchers"].items() if name in NAMED}
        return told | {"matchers": told["matchers"] | shown}

    def _shown(self, name: str, ids: list[int]) -> list[int]:
        """Leave out what the reader may not see: one that names no site may name things of all."""
        access = self.context["request"].auth
        if access.sites() is None:
            return ids
        # Asked once for all rows of a page.
        if name not in self._seen:
            rows: Any = getattr(self.parent, "instance", None) or [self.instance]
            asked = {pk for row in rows for pk in row.matchers.get(name, ())}
            self._seen[name] = _ids(_visible(name, access), asked)
        return [pk for pk in ids if pk in self._seen[name]]

    @cached_property
    def _seen(self) -> dict[str, set[int]]:
        return {}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        held = self.instance if isinstance(self.instance, Silence) else None
        site: Any = attrs.get("site", held and held.site)
        before = held.matchers if held and site == held.site else {}
        for name, pks in attrs.get("matchers", held.matchers if held else {}).items() if site else ():
            if name in NAMED and (far := _elsewhere(name, set(pks).difference(before.get(name, ())), site)):
                message = f"The {name[:-1]} {min(far)} is of another site: this silence would never meet it."
                raise serializers.ValidationError({"matchers": {name: [message]}})
        return attrs

    def validate_matchers(self, matchers: dict[str, Any]) -> dict[str, Any]:
        held = self.instance.matchers if isinstance(self.instance, Silence) else {}
        for name, model in NAMED.items():
            visible, before = _visible(name, self.context["request"].auth), held.get(name, [])
            try:
                named = known(matchers.get(name, []), before, visible, name[:-1])
            except serializers.ValidationError as error:
                raise serializers.ValidationError({name: error.detail}) from error
            # What the caller was not shown it cannot have meant to take away.
            matchers[name] = sorted({*named, *_ids(model.objects, before) - _ids(visible, before)})
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


def _visible(name: str, access: Access) -> Any:
    rows: Any = NAMED[name].objects
    return rows.visible_to(access)


def _ids(rows: Any, asked: Iterable[int]) -> set[int]:
    return set(rows.filter(pk__in=asked).values_list("pk", flat=True))


def _elsewhere(name: str, pks: Iterable[int], site: Site) -> set[int]:
    """Return which of these stand at another site; a rule without one may find something anywhere."""
    here = Q(site=site) | Q(site=None) if name == "rules" else Q(site=site)
    return _ids(NAMED[name].objects.exclude(here), pks)


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
    active = FlagFilter(method="is_active", label="Whether it hides alerts now")

    def is_active(self, rows: QuerySet, name: str, value: bool) -> QuerySet:  # noqa: FBT001 - the library calls it so
        """Narrow to those that hold now, or to the others; when they come again no database can say."""
        now = clock.now()
        holding = [quiet.id for quiet in hiding.quiets(now) if quiet.windows.covers(to_micros(now))]
        return rows.filter(pk__in=holding) if value else rows.exclude(pk__in=holding)


class SilenceViewSet(BulkViewSet):
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
