"""The shapes of readings on the wire: they describe the contract; domain/items.py reads what comes in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from techtrack.core.api.fields import MomentField
from techtrack.core.api.schema import SPARSE
from techtrack.core.clock import from_micros, isoformat
from techtrack.telemetry.domain.items import CODE
from techtrack.telemetry.domain.quality import Quality
from techtrack.telemetry.queries import Found, Unreadable

UNREADABLE = "Only where there is something: stretches of which readings are damaged, and are not told here."
VALUES = {
    "type": "object",
    "minProperties": 1,
    "maxProperties": 256,
    "propertyNames": {"pattern": "^[a-z][a-z0-9_]{0,63}$"},
    "additionalProperties": {"type": "number"},
    "examples": [{"temperature": 71.3, "speed": 1480}],
}
REF = {
    "oneOf": [
        {"type": "integer", "minimum": 1, "maximum": 2**63 - 1},
        {"type": "string", "minLength": 1, "maxLength": 200},
    ],
    "description": "The id, or the key by which a gateway knows it.",
}


@extend_schema_field(VALUES)
class ValuesField(serializers.JSONField):
    """Values by parameter code."""


@extend_schema_field(
    {
        "type": "object",
        "additionalProperties": {"enum": ["suspect", "bad", "missing"]},
        "description": "What is not good.",
        SPARSE: True,
    }
)
class QualitiesField(serializers.JSONField):
    """The quality of those values that are not good, by parameter code."""


@extend_schema_field(REF)
class RefField(serializers.JSONField):
    """An asset by id or key."""


class DataSerializer(serializers.Serializer):
    """One reading of equipment."""

    id = serializers.CharField(read_only=True, help_text="`{asset}-{µs since 1970}`, stable for ever")
    equipment = RefField()
    timestamp = serializers.DateTimeField(required=False, help_text="RFC 3339 with offset; now if left out")
    values = ValuesField()
    quality = QualitiesField(read_only=True, required=False)


class MeasurementSerializer(serializers.Serializer):
    """One reading of a sensor."""

    id = serializers.CharField(read_only=True, help_text="`{asset}-{µs since 1970}`, stable for ever")
    sensor = RefField()
    timestamp = serializers.DateTimeField(required=False, help_text="RFC 3339 with offset; now if left out")
    values = ValuesField()
    quality = QualitiesField(read_only=True, required=False)


class IngestItemSerializer(serializers.Serializer):
    """One reading at the fast door."""

    asset = RefField()
    timestamp = serializers.DateTimeField(required=False)
    values = ValuesField()


class IngestSerializer(serializers.Serializer):
    """A batch at the fast door."""

    items = IngestItemSerializer(many=True)


COLUMNS = {
    "type": "object",
    "minProperties": 1,
    "maxProperties": 256,
    "propertyNames": {"pattern": "^[a-z][a-z0-9_]{0,63}$"},
    "additionalProperties": {"type": "array", "items": {"type": ["number", "null"]}},
    "examples": [{"temperature": [71.3, 70.9], "speed": [1480, None]}],
}


@extend_schema_field(COLUMNS)
class ColumnsField(serializers.JSONField):
    """A list of values for each parameter code."""


class IngestColumnsSerializer(serializers.Serializer):
    """The same batch by columns, a third of the bytes: every list has an entry for each reading."""

    asset = serializers.ListField(child=RefField())
    timestamp = serializers.ListField(child=serializers.DateTimeField(), required=False)
    values = ColumnsField()


class FaultSerializer(serializers.Serializer):
    """What was wrong with one reading."""

    pointer = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()


class ReceiptSerializer(serializers.Serializer):
    """What became of a batch; ``refused`` and ``errors`` come with ``on_error=skip``."""

    accepted = serializers.IntegerField()
    duplicates = serializers.IntegerField(required=False, help_text="repeats of an (asset, time) within this request")
    refused = serializers.IntegerField(required=False)
    errors = FaultSerializer(many=True, required=False)  # type: ignore[assignment]


class IngestReceiptSerializer(serializers.Serializer):
    """What became of a batch at the fast door; ``refused`` and ``errors`` come with ``on_error=skip``."""

    accepted = serializers.IntegerField()
    refused = serializers.IntegerField(required=False)
    errors = FaultSerializer(many=True, required=False)  # type: ignore[assignment]


class UnreadableSerializer(serializers.Serializer):
    """A stretch of an asset's time, from <= time < to, of which readings are damaged: what is told lacks them."""

    asset = serializers.IntegerField()

    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), "from": serializers.DateTimeField(), "to": serializers.DateTimeField()}


class SeriesSerializer(serializers.Serializer):
    """One asset and parameter: in buckets, or as readings to draw."""

    asset = serializers.IntegerField()
    parameter = serializers.CharField()
    unit = serializers.CharField()
    completeness = serializers.FloatField(
        allow_null=True, help_text="share of the expected readings that came; null where no interval is known"
    )
    columns = serializers.ListField(child=serializers.CharField())
    rows = serializers.ListField(child=serializers.ListField(child=serializers.JSONField()))
    notes = serializers.DictField(
        child=serializers.CharField(), required=False, help_text="by statistic, why some of its values are null"
    )


class HistorySerializer(serializers.Serializer):
    """Several series."""

    interval = serializers.CharField(allow_null=True, help_text="ISO 8601; null for readings to draw")
    timezone = serializers.CharField(help_text="of days and longer intervals")
    series = SeriesSerializer(many=True)
    unreadable = UnreadableSerializer(many=True, required=False, help_text=UNREADABLE)

    def get_fields(self) -> dict[str, Any]:
        moments = {name: serializers.DateTimeField() for name in ("from", "to")}
        return {**moments, **super().get_fields()}


QUALITIES = [quality.name.lower() for quality in Quality]


class CorrectionSerializer(serializers.Serializer):
    """What a reading said before a person changed it, and after; null where the person removed it."""

    id = serializers.CharField()
    before = ValuesField()
    after = ValuesField(allow_null=True)
    by = serializers.IntegerField(allow_null=True)
    by_name = serializers.CharField(allow_null=True)
    at = serializers.DateTimeField()


class MarkSerializer(serializers.Serializer):
    """What the values of a stretch, from <= time < to, are worth; give one of asset, equipment and sensor."""

    id = serializers.CharField(read_only=True)
    asset = RefField(required=False)
    equipment = RefField(required=False, write_only=True)
    sensor = RefField(required=False, write_only=True)
    parameter = serializers.RegexField(
        CODE, required=False, allow_null=True, help_text="a code; all parameters if null or left out"
    )
    quality = serializers.ChoiceField(
        QUALITIES, help_text="bad and missing values do not enter statistics; good restores them"
    )
    flag = serializers.CharField(
        read_only=True, allow_null=True, help_text="the test that doubts the values; null where a person does"
    )
    reason = serializers.CharField(max_length=2000)
    by = serializers.IntegerField(read_only=True, allow_null=True)
    by_name = serializers.CharField(read_only=True, allow_null=True)
    at = serializers.DateTimeField(read_only=True)

    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), "from": MomentField(), "to": MomentField()}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if sum(name in attrs for name in ("asset", "equipment", "sensor")) != 1:
            raise serializers.ValidationError({"asset": "Give one of asset, equipment and sensor."})
        if attrs["from"] >= attrs["to"]:
            raise serializers.ValidationError({"from": "It lies before to."})
        return attrs


def unreadable_as_json(found: Iterable[Unreadable]) -> dict[str, Any]:
    """Write what cannot be read, where there is something, as a member of an answer."""
    told = [
        {"asset": asset, "from": isoformat(from_micros(start)), "to": isoformat(from_micros(end))}
        for asset, start, end in found
    ]
    return {"unreadable": told} if told else {}


def row_as_json(row: Found, name: str) -> dict[str, Any]:
    """Write a reading as ``name`` ("equipment", "sensor") calls its asset, with the qualities that are not good."""
    told = {
        "id": f"{row.asset}-{row.time}",
        name: row.asset,
        "timestamp": isoformat(from_micros(row.time)),
        "values": dict(row.values),
    }
    return told | ({"quality": dict(row.quality)} if row.quality else {})
