"""How assets, their types and parameters look on the wire."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.validators import UniqueValidator

from techtrack.accounts.models import ApiKey, Site
from techtrack.accounts.services.keys import LONGEST_OVERLAP
from techtrack.assets import queries
from techtrack.assets.models import Asset, Health, Parameter
from techtrack.core import clock
from techtrack.core.api.fields import (
    CodeField,
    IsoDurationField,
    MomentField,
    NumberField,
    ObjectField,
    ResourceSerializer,
    VisibleField,
    WholeSerializer,
)

MOST_ATTRIBUTES = 100
LONGEST_ATTRIBUTES = 20_000
MOST_TAGS = 50
LONGEST_TAG = 64
MOST_PARAMETERS = 1_000
MOST_ADDRESSES = 100
STAMPS = ["version", "created_at", "updated_at"]


class HomeSite:
    """The default of ``site``, for PUT as for POST: the caller's own, where there is exactly one."""

    requires_context = True

    def __call__(self, field: serializers.Field) -> Site | None:
        return queries.home_site(field.context["request"].auth)


class TypeField(serializers.SlugField):
    """The slug of an asset type."""

    def to_representation(self, value: Any) -> str:
        return str(value.slug)


class LocationSerializer(WholeSerializer):
    """A place on the globe (WGS 84), in degrees."""

    latitude = NumberField(lowest=-90, highest=90)
    longitude = NumberField(lowest=-180, highest=180)


class AttributesField(ObjectField):
    """A JSON object of at most 100 members and 20,000 characters, for what has no field of its own."""

    default_error_messages = {"size": "At most {members} members and {characters} characters of JSON."}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        value = super().to_internal_value(data)
        if len(value) > MOST_ATTRIBUTES or len(json.dumps(value)) > LONGEST_ATTRIBUTES:
            self.fail("size", members=MOST_ATTRIBUTES, characters=LONGEST_ATTRIBUTES)
        return value


class AssetSerializer(ResourceSerializer[Asset]):
    """An asset under either of its names."""

    key = serializers.CharField(
        max_length=queries.LONGEST_KEY,
        allow_null=True,
        required=False,
        validators=[UniqueValidator(Asset.objects.all(), message="Another asset has this key.")],
        help_text="A unique name by which gateways know the asset; not digits alone.",
    )
    type = TypeField(max_length=64, allow_null=True, required=False, help_text="The slug of its type.")
    site = VisibleField(queryset=Site.objects.all(), allow_null=True, default=HomeSite())
    # Fields have an attribute of this name; the class of a serializer has none left when DRF has collected them.
    parent = VisibleField(queryset=Asset.objects.all(), allow_null=True, required=False)  # type: ignore[assignment]
    location = LocationSerializer(allow_null=True, default=None)
    attributes = AttributesField(required=False)
    expected_interval = IsoDurationField(allow_null=True, required=False)
    tags = serializers.ListField(
        child=serializers.CharField(max_length=LONGEST_TAG), max_length=MOST_TAGS, required=False
    )
    health = serializers.ChoiceField(
        choices=Health.choices,
        read_only=True,
        help_text="By its alerts that are active, or latched, and that nothing hides: critical where one is critical, "
        "warning where there is another, good where there is none.",
    )
    last_seen = MomentField(allow_null=True, read_only=True, help_text="The event time of its newest reading.")
    clock_ahead = IsoDurationField(
        allow_null=True,
        read_only=True,
        help_text="By how much the clock that stamps its readings is ahead, where it is by more than five minutes: "
        "such readings are judged as of when they came.",
    )
    created_at = MomentField(read_only=True)
    updated_at = MomentField(read_only=True)

    class Meta:
        model = Asset
        fields = [
            "id",
            "key",
            "name",
            "type",
            "model",
            "serial_number",
            "manufacturer",
            "installation_date",
            "status",
            "site",
            "parent",
            "location",
            "description",
            "attributes",
            "expected_interval",
            "tags",
            "health",
            "last_seen",
            "clock_ahead",
            *STAMPS,
        ]

    def validate_key(self, key: str | None) -> str | None:
        if key is not None and not queries.is_key(key):
            raise serializers.ValidationError("A key is printable, and not of digits alone: those would mean an id.")
        return key

    def validate_tags(self, tags: list[str]) -> list[str]:
        return list(dict.fromkeys(tags))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "location" in attrs:
            place = attrs.pop("location") or {}
            attrs |= {"latitude": place.get("latitude"), "longitude": place.get("longitude")}
        return attrs

    def to_representation(self, instance: Asset) -> dict[str, Any]:
        # By hand: the generic way takes five times as long, and lists of assets are read all day.
        state = getattr(instance, "state", None)
        return {
            "id": instance.pk,
            "key": instance.key,
            "name": instance.name,
            "type": instance.type.slug if instance.type else None,
            "model": instance.model,
            "serial_number": instance.serial_number,
            "manufacturer": instance.manufacturer,
            "installation_date": _or_none(instance.installation_date, lambda day: day.isoformat()),
            "status": instance.status,
            "site": instance.site_id,
            "parent": instance.parent_id,
            "location": _location(instance),
            "description": instance.description,
            "attributes": instance.attributes,
            "expected_interval": _or_none(instance.expected_interval, clock.iso_duration),
            "tags": instance.tags,
            "health": state.health if state else Health.UNKNOWN,
            "last_seen": _or_none(state and state.last_seen, clock.isoformat),
            "clock_ahead": _or_none(state and state.clock_ahead, _seconds),
            "version": instance.version,
            "created_at": clock.isoformat(instance.created_at),
            "updated_at": clock.isoformat(instance.updated_at),
        }


def _seconds(number: int) -> str:
    return clock.iso_duration(timedelta(seconds=number))


def _or_none(value: Any, form: Callable[[Any], str]) -> str | None:
    return None if value is None else form(value)


def _location(asset: Asset) -> dict[str, float] | None:
    if asset.latitude is None or asset.longitude is None:
        return None
    return {"latitude": asset.latitude, "longitude": asset.longitude}


@extend_schema_field({"type": "object", "additionalProperties": {"type": "string", "maxLength": 200}})
class LabelsField(ObjectField):
    """What values of a state mean: ``{"0": "stopped", "1": "running"}``."""

    default_error_messages = {"text": "Each of at most 1,000 members is a text of at most 200 characters."}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        value = super().to_internal_value(data)
        plain = all(isinstance(text, str) and len(text) <= 200 for text in value.values())  # noqa: PLR2004
        if len(value) > MOST_PARAMETERS or not plain:
            self.fail("text")
        return value


class ParameterSerializer(ResourceSerializer[Parameter]):
    """What is measured."""

    code = CodeField(
        max_length=64,
        validators=[UniqueValidator(Parameter.objects.all(), message="This parameter is registered already.")],
    )
    precision = serializers.IntegerField(
        min_value=0, max_value=15, allow_null=True, required=False, help_text="Decimal places to show."
    )
    labels = LabelsField(required=False)
    created_at = MomentField(read_only=True)
    updated_at = MomentField(read_only=True)

    class Meta:
        model = Parameter
        fields = ["id", "code", "name", "unit", "precision", "labels", *STAMPS]


class AssetIdField(VisibleField):
    """The id of an asset, where the column is a number because its table stands on a lower rung."""

    def to_internal_value(self, data: Any) -> int:
        return int(super().to_internal_value(data).pk)


class KeySerializer(ResourceSerializer[ApiKey]):
    """A machine's credential, without its text."""

    asset = AssetIdField(
        source="asset_id",
        queryset=Asset.objects.all(),
        allow_null=True,
        required=False,
        help_text="The only asset that the key reaches.",
    )
    site = VisibleField(
        queryset=Site.objects.all(), allow_null=True, required=False, help_text="The only site that the key reaches."
    )
    expires_at = MomentField(allow_null=True, required=False)
    allowed_addresses = serializers.ListField(
        child=serializers.CharField(max_length=64),
        max_length=MOST_ADDRESSES,
        required=False,
        help_text="Addresses and networks it may be used from; empty means from anywhere.",
    )
    last_used = MomentField(allow_null=True, read_only=True)
    old_until = MomentField(
        allow_null=True, read_only=True, help_text="Until then the text from before the last rotation opens as well."
    )
    created_at = MomentField(read_only=True)

    class Meta:
        model = ApiKey
        fields = [
            "id",
            "name",
            "prefix",
            "scope",
            "asset",
            "site",
            "expires_at",
            "allowed_addresses",
            "last_used",
            "old_until",
            "created_by",
            "version",
            "created_at",
        ]
        read_only_fields = ["prefix", "created_by"]


class IssuedKeySerializer(KeySerializer):
    """A key at the one moment when its text is known."""

    key = serializers.CharField(read_only=True, help_text="Shown this once; only its hash is kept.")

    class Meta(KeySerializer.Meta):
        fields = [*KeySerializer.Meta.fields, "key"]


class RotationSerializer(serializers.Serializer):
    """How a key is rotated."""

    overlap = serializers.IntegerField(
        min_value=0,
        max_value=LONGEST_OVERLAP // timedelta(seconds=1),
        default=0,
        help_text="Seconds for which the text of before opens as well: at most a week.",
    )
