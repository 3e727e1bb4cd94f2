"""How verdicts on the air look on the wire, and how OpenAPI tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import inline_serializer
from rest_framework import serializers as drf

from techtrack.airquality.standard import Category, SubIndex, Verdict
from techtrack.core.clock import isoformat
from techtrack.core.errors import Invalid
from techtrack.environment.domain.correcting import Applied


def _class() -> dict[str, Any]:
    return {
        "index": drf.IntegerField(allow_null=True, help_text="null: the data are too incomplete; `reason` says how"),
        "category": drf.CharField(allow_null=True),
    }


_POLLUTANT: dict[str, Any] = {
    "parameter": drf.CharField(),
    "concentration": drf.FloatField(allow_null=True, help_text="as it was looked up, truncated or rounded"),
    "unit": drf.CharField(help_text="UCUM"),
    "averaging": drf.CharField(),
    "completeness": drf.FloatField(help_text="the share of the hours that are known"),
    **_class(),
    "corrected_by": drf.CharField(allow_null=True, help_text="the correction of the sensor that was applied"),
    "corrected_from": drf.ListField(
        child=drf.CharField(),
        allow_null=True,
        help_text="the parameters of which it was computed: of each hour the first that the correction prefers",
    ),
    "reason": drf.CharField(allow_null=True),
}
_VERDICT: dict[str, Any] = {
    "standard": drf.CharField(),
    "edition": drf.CharField(help_text="of the standard, as it was in force at that moment"),
    "method": drf.CharField(),
    "at": drf.DateTimeField(),
    **_class(),
    "colour": drf.CharField(allow_null=True),
    "advice": drf.CharField(allow_null=True),
    "dominant": drf.CharField(allow_null=True, help_text="the pollutant with the highest index"),
    "pollutants": drf.ListField(child=inline_serializer("PollutantIndex", _POLLUTANT)),
    "reason": drf.CharField(allow_null=True),
    "explanation": drf.CharField(),
}
INDEX = inline_serializer("AirQualityIndex", {"sensor": drf.IntegerField(), **_VERDICT})


def of_category(category: Category | None) -> dict[str, Any]:
    """Write a class of an index."""
    if category is None:
        return dict.fromkeys(("category", "colour", "advice"))
    return {"category": category.name, "colour": category.colour, "advice": category.advice}


def verdict_as_json(verdict: Verdict, corrected: Mapping[str, Applied]) -> dict[str, Any]:
    """Write a verdict; ``corrected`` tells by parameter what corrected it, and of what."""
    return {
        "standard": verdict.standard,
        "edition": verdict.edition,
        "method": verdict.method,
        "at": isoformat(verdict.at),
        "index": verdict.index,
        **of_category(verdict.category),
        "dominant": verdict.dominant,
        "pollutants": [_pollutant(one, corrected) for one in verdict.pollutants],
        "reason": verdict.reason or None,
        "explanation": verdict.explanation,
    }


def _pollutant(one: SubIndex, corrected: Mapping[str, Applied]) -> dict[str, Any]:
    applied = corrected.get(one.parameter)
    return {
        "parameter": one.parameter,
        "concentration": None if one.concentration is None else float(one.concentration),
        "unit": one.unit,
        "averaging": one.averaging,
        "completeness": round(one.completeness, 4),
        "index": one.index,
        "category": None if one.category is None else one.category.name,
        "corrected_by": applied.name if applied else None,
        "corrected_from": list(applied.sources) if applied else None,
        "reason": one.reason or None,
    }


def missing_as_text(error: Invalid) -> str:
    """Say what is not declared."""
    return "; ".join(fault.detail for fault in error.faults)
