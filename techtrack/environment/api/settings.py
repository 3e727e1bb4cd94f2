"""What is declared of a sensor's air, as a resource."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field

from techtrack.airquality.correction import corrections
from techtrack.assets.models import Sensor
from techtrack.core import clock
from techtrack.core.api.bulk import BulkViewSet
from techtrack.core.api.fields import NumberField, ObjectField, ResourceSerializer, VisibleField
from techtrack.core.api.filters import BIGGEST_ID, FilterSet, IdFilter
from techtrack.core.errors import Invalid
from techtrack.core.params import describe
from techtrack.environment import services
from techtrack.environment.domain.checks import OwnChecks
from techtrack.environment.models import AirSettings

MOST_PARAMETERS = 64


def _by_parameter(value: dict[str, Any]) -> None:
    if len(value) > MOST_PARAMETERS:
        raise Invalid(f"at most {MOST_PARAMETERS} parameters")


@extend_schema_field(
    {"type": "object", "additionalProperties": {"type": "string", "enum": corrections.names()}, "default": {}}
)
class CorrectionsField(ObjectField):
    """The name of a correction by parameter."""


@extend_schema_field(
    {
        "type": "object",
        "additionalProperties": next(iter(describe(OwnChecks)["$defs"].values())),
        "default": {},
    }
)
class ChecksField(ObjectField):
    """What the quality tests use instead of their defaults, by parameter."""


class AirSettingsSerializer(ResourceSerializer[AirSettings]):
    """What people declare of a sensor's air, beside its readings; without it the defaults count."""

    sensor = VisibleField(queryset=Sensor.objects.all())
    reference_temperature = NumberField(
        lowest=-100,
        highest=100,
        required=False,
        allow_null=True,
        help_text="°C, at which masses of its gases are meant: 20 in the EU, 25 in the US and with WHO",
    )
    reference_pressure = NumberField(
        lowest=100, highest=2000, required=False, allow_null=True, help_text="hPa; 1013.25 for standard air"
    )
    corrections = CorrectionsField(
        required=False, help_text='A correction by parameter, such as {"pm2_5": "epa_2021"}; raw values are kept.'
    )
    checks = ChecksField(
        required=False,
        help_text="By parameter; a member that is null leaves a test out, one left out keeps its default.",
    )

    class Meta:
        model = AirSettings
        fields = [
            "id",
            "sensor",
            "reference_temperature",
            "reference_pressure",
            "corrections",
            "checks",
            "version",
            "created_at",
            "updated_at",
        ]
        read_only_fields = ["version", "created_at", "updated_at"]

    def validate_corrections(self, value: dict[str, Any]) -> dict[str, Any]:
        """Bound how many there are."""
        _by_parameter(value)
        return value

    def validate_checks(self, value: dict[str, Any]) -> dict[str, Any]:
        """Bound how many there are."""
        _by_parameter(value)
        return value


class AirSettingsFilter(FilterSet):
    """Settings by sensor and site."""

    sensor = IdFilter()
    site = IdFilter(field_name="sensor__site")


class AirSettingsViewSet(BulkViewSet):
    """What is declared of sensors' air: reference of units, corrections, quality tests."""

    queryset = AirSettings.objects.select_related("sensor")
    serializer_class = AirSettingsSerializer
    filterset_class = AirSettingsFilter
    ordering_fields = ["sensor", "created_at", "updated_at"]
    ordering = ["sensor", "id"]

    def hold(self, ids: list[int]) -> None:
        """Lock the sensors of all that will be written, then what there is."""
        named = [item.get("body", {}).get("sensor") for item in self.request.data["items"]]
        sensors = [pk for pk in named if type(pk) is int and 0 < pk <= BIGGEST_ID]
        services.hold_sensors(by=self.request.auth, settings=ids, sensors=sensors)
        super().hold(ids)

    def add(self, data: dict[str, Any]) -> AirSettings:
        return services.create_settings(by=self.request.auth, data=data, now=clock.now())

    def edit(self, instance: AirSettings, data: dict[str, Any], expected: int | None) -> AirSettings:
        return services.update_settings(
            settings=instance, by=self.request.auth, changes=data, expected=expected, now=clock.now()
        )

    def drop(self, instance: AirSettings, expected: int | None) -> None:
        services.delete_settings(settings=instance, by=self.request.auth, expected=expected)
