"""The shapes of readings on the wire: they describe the contract; domain/items.py reads what comes in."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from techtrack.core.clock import from_micros, isoformat
from techtrack.telemetry.domain.reading import Row

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


@extend_schema_field(REF)
class RefField(serializers.JSONField):
    """An asset by id or key."""


class DataSerializer(serializers.Serializer):
    """One reading of equipment."""

    id = serializers.CharField(read_only=True, help_text="`{asset}-{µs since 1970}`, stable for ever")
    equipment = RefField()
    timestamp = serializers.DateTimeField(required=False, help_text="RFC 3339 with offset; now if left out")
    values = ValuesField()


class MeasurementSerializer(serializers.Serializer):
    """One reading of a sensor."""

    id = serializers.CharField(read_only=True, help_text="`{asset}-{µs since 1970}`, stable for ever")
    sensor = RefField()
    timestamp = serializers.DateTimeField(required=False, help_text="RFC 3339 with offset; now if left out")
    values = ValuesField()


class IngestItemSerializer(serializers.Serializer):
    """One reading at the fast door."""

    asset = RefField()
    timestamp = serializers.DateTimeField(required=False)
    values = ValuesField()


class IngestSerializer(serializers.Serializer):
    """A batch at the fast door."""

    items = IngestItemSerializer(many=True)


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


class SeriesSerializer(serializers.Serializer):
    """One asset and parameter in buckets."""

    asset = serializers.IntegerField()
    parameter = serializers.CharField()
    unit = serializers.CharField()
    columns = serializers.ListField(child=serializers.CharField())
    rows = serializers.ListField(child=serializers.ListField(child=serializers.JSONField()))


class HistorySerializer(serializers.Serializer):
    """Buckets of several series."""

    interval = serializers.CharField(help_text="ISO 8601")
    series = SeriesSerializer(many=True)

    def get_fields(self) -> dict[str, Any]:
        moments = {name: serializers.DateTimeField() for name in ("from", "to")}
        return {**moments, **super().get_fields()}


def row_as_json(row: Row, name: str) -> dict[str, Any]:
    """Write a reading as ``name`` ("equipment", "sensor", "asset") calls its asset."""
    return {
        "id": f"{row.asset}-{row.time}",
        name: row.asset,
        "timestamp": isoformat(from_micros(row.time)),
        "values": dict(row.values),
    }
