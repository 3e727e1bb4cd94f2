"""Tables of air quality: what is declared of a sensor beside its readings."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q

from techtrack.accounts.domain.access import Access
from techtrack.airquality.units import Reference
from techtrack.assets.models import Asset
from techtrack.core.models import Versioned
from techtrack.environment.domain.settings import Declared

# The head whose number rises with every change of what readings are tested by.
TESTS = "environment:tests"


class AirSettingsQuerySet(models.QuerySet["AirSettings"]):
    """Settings as a caller may see them."""

    def visible_to(self, access: Access) -> AirSettingsQuerySet:
        """Those of sensors that the caller sees."""
        return self.filter(sensor__in=Asset.objects.visible_to(access).order_by())


class AirSettings(Versioned):
    """What people declare of a sensor's air; a sensor without is taken by the defaults.

    ``reference_temperature`` (°C) and ``reference_pressure`` (hPa) are the state of the air that its masses of gas are
    meant at. ``corrections`` name a correction by parameter, ``checks`` what the quality tests use instead of their
    defaults, by parameter.
    """

    sensor = models.OneToOneField("assets.Asset", models.CASCADE, related_name="+")
    reference_temperature = models.FloatField(null=True)
    reference_pressure = models.FloatField(null=True)
    corrections = models.JSONField(default=dict)
    checks = models.JSONField(default=dict)

    objects = AirSettingsQuerySet.as_manager()

    class Meta:
        ordering = ["sensor"]
        verbose_name_plural = "air settings"
        constraints = [
            models.CheckConstraint(
                condition=Q(reference_temperature=None) | Q(reference_temperature__gt=-273.15),
                name="air_reference_above_absolute_zero",
            ),
            models.CheckConstraint(
                condition=Q(reference_pressure=None) | Q(reference_pressure__gt=0), name="air_reference_has_pressure"
            ),
        ]

    def audit_site(self) -> int | None:
        """The site of the sensor."""
        site: int | None = self.sensor.site_id
        return site

    @property
    def declared(self) -> Declared:
        """The same as the computations take it."""
        return declared_of(self.reference_temperature, self.reference_pressure, self.corrections)


class Round(models.Model):
    """How far something has come that is done hour by hour; moved by conditional UPDATE, so that it is done once."""

    name = models.CharField(max_length=32, primary_key=True)
    hour = models.BigIntegerField()


def declared_of(temperature: float | None, pressure: float | None, corrections: dict[str, Any]) -> Declared:
    """Build what is declared of columns."""
    undeclared = temperature is None and pressure is None
    return Declared(None if undeclared else Reference(temperature, pressure), corrections)
