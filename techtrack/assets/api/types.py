"""How asset types and packs look on the wire."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.validators import UniqueValidator

from techtrack.assets.api.serializers import MOST_PARAMETERS, STAMPS
from techtrack.assets.domain.running import RunningSign
from techtrack.assets.models import AssetType
from techtrack.core.api.fields import (
    CodeField,
    IsoDurationField,
    MomentField,
    NumberField,
    ObjectField,
    ResourceSerializer,
    WholeSerializer,
)
from techtrack.core.errors import Invalid


class TypeParameterSerializer(WholeSerializer):
    """A parameter that assets of a type emit, and the range that is plausible there."""

    code = CodeField(max_length=64)
    unit = serializers.CharField(max_length=40, allow_blank=True, default="", help_text="A UCUM unit, such as Cel.")
    minimum = NumberField(allow_null=True, default=None)
    maximum = NumberField(allow_null=True, default=None)
    # The word that everybody uses, although the class has a method of that name.
    label = serializers.CharField(max_length=200, allow_blank=True, default="")  # type: ignore[assignment]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if None not in (attrs["minimum"], attrs["maximum"]) and attrs["minimum"] > attrs["maximum"]:
            raise serializers.ValidationError({"maximum": "The maximum is below the minimum."})
        return attrs


ONE_SLUG = UniqueValidator(
    AssetType.objects.all(),
    message="There is an asset type with this slug already: choose another, or change it.",
)


_NUMBER_OR_ATTRIBUTE = {
    "oneOf": [
        {"type": "number"},
        {
            "type": "object",
            "required": ["attribute"],
            "properties": {"attribute": {"type": "string"}, "default": {"type": ["number", "null"]}},
        },
    ]
}


@extend_schema_field(
    {
        "type": ["object", "null"],
        "required": ["parameter"],
        "properties": {"parameter": {"type": "string"}, "above": _NUMBER_OR_ATTRIBUTE},
    }
)
class RunningField(ObjectField):
    """By what one sees that an asset of the type runs."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        value = super().to_internal_value(data)
        try:
            RunningSign.parse(value, pointer="")
        except Invalid as error:
            fault = error.faults[0]
            place = fault.pointer.strip("/").partition("/")[0]
            told = {place: [fault.detail]} if place else [fault.detail]
            raise serializers.ValidationError(told, code=fault.code) from error
        return value


class AssetTypeSerializer(ResourceSerializer[AssetType]):
    """A kind of asset."""

    parameters: serializers.ListSerializer = serializers.ListSerializer(
        child=TypeParameterSerializer(), required=False, max_length=MOST_PARAMETERS
    )
    strict = serializers.BooleanField(required=False, help_text="Refuse readings with other parameters than these.")
    expected_interval = IsoDurationField(allow_null=True, required=False)
    retention = IsoDurationField(allow_null=True, required=False, help_text="How long raw readings are kept.")
    running = RunningField(
        allow_null=True,
        required=False,
        help_text="It runs while the parameter is above a number or an attribute of its own; null: whenever it sends.",
    )
    created_at = MomentField(read_only=True)
    updated_at = MomentField(read_only=True)

    class Meta:
        model = AssetType
        fields = ["id", "slug", "name", "parameters", "strict", "expected_interval", "retention", "running", *STAMPS]
        extra_kwargs: ClassVar[dict[str, Any]] = {"slug": {"validators": [ONE_SLUG]}}

    def validate_parameters(self, parameters: list[dict[str, Any]]) -> list[dict[str, Any]]:
        codes = [entry["code"] for entry in parameters]
        if len(set(codes)) < len(codes):
            raise serializers.ValidationError("A code is listed twice.")
        return parameters


class NewAssetTypeSerializer(AssetTypeSerializer):
    """A kind of asset to be made, of a pack or from nothing; without a pack it needs a slug and a name."""

    pack = serializers.SlugField(
        max_length=64,
        allow_null=True,
        required=False,
        write_only=True,
        help_text="A pack that fills in what is not given, with its rules and plans: `GET /api/asset-types/packs/`.",
    )

    class Meta(AssetTypeSerializer.Meta):
        fields = [*AssetTypeSerializer.Meta.fields, "pack"]
        extra_kwargs: ClassVar[dict[str, Any]] = {
            "slug": {"required": False, "validators": [ONE_SLUG]},
            "name": {"required": False},
        }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        missing = {"slug", "name"} - set(attrs) if attrs.get("pack") is None else set()
        if missing:
            text = serializers.Field.default_error_messages["required"]
            raise serializers.ValidationError(dict.fromkeys(sorted(missing), text), code="required")
        return attrs


class PackParameterSerializer(serializers.Serializer[Any]):
    """A parameter of a pack."""

    code = serializers.CharField()
    # The word that everybody uses, although the class has a method of that name.
    label = serializers.CharField()  # type: ignore[assignment]
    unit = serializers.CharField(help_text="A UCUM unit, such as Cel.")
    minimum = serializers.FloatField()
    maximum = serializers.FloatField()
    typical = serializers.FloatField(help_text="What a sensor says of a machine that is well.")


class PackSerializer(serializers.Serializer[Any]):
    """What an asset type can begin with."""

    slug = serializers.SlugField()
    name = serializers.CharField()
    description = serializers.CharField()
    expected_interval = IsoDurationField()
    retention = IsoDurationField()
    parameters = PackParameterSerializer(many=True)
    rules = serializers.ListField(
        child=ObjectField(), help_text="Bodies of `/api/rules/`, without the scope: it is the type that is made."
    )
    sources = serializers.ListField(child=serializers.CharField(), help_text="Where limits come from.")
    running = ObjectField(allow_null=True, help_text="By what one sees that it runs.")
    plans = serializers.ListField(
        child=ObjectField(),
        help_text="Bodies of `/api/plans/`, without the scope; a condition names a rule of the pack.",
    )


class PacksSerializer(serializers.Serializer[Any]):
    """Every pack."""

    results = PackSerializer(many=True)
