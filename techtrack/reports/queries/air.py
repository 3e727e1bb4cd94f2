"""What a report on the air of a site says: captured data, doubts, the index, and exceedances, sensor by sensor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from techtrack.accounts.models import Site
from techtrack.airquality.averaging import standard_offset
from techtrack.airquality.exceedances import Finding, Year, exceedances, year_until
from techtrack.airquality.hours import HOUR, Hours
from techtrack.airquality.limits import LimitSet
from techtrack.airquality.standard import Standard
from techtrack.airquality.tables import NONE
from techtrack.assets.models import Asset, AssetQuerySet, Kind
from techtrack.core.clock import isoformat, to_micros
from techtrack.core.errors import Invalid
from techtrack.environment import queries as environment
from techtrack.environment.queries import Air
from techtrack.reports.domain.periods import Period
from techtrack.reports.queries.marks import quality_of
from techtrack.telemetry import queries as telemetry
from techtrack.telemetry.queries import Subject

MOST_SENSORS = 200
# Of what is computed no more is told than the values it is computed of can hold.
DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Asked:
    """What a report is of: a site in a period, held against limits and an index standard."""

    site: Site
    period: Period
    limits: LimitSet
    standard: Standard

    @property
    def offset(self) -> timedelta:
        """How far the site's standard time is ahead of UTC."""
        return standard_offset(ZoneInfo(self.site.timezone), year=self.period.year)

    @property
    def codes(self) -> tuple[str, ...]:
        """What it looks at: the parameters of the limits, then those of the standard."""
        limited = [limit.parameter for limit in self.limits.limits]
        return tuple(dict.fromkeys([*limited, *self.standard.parameters]))

    def span(self, now: datetime) -> tuple[datetime, datetime]:
        """When the period begins, and when its last day ends that is over; the beginning where none is."""
        begin, end = self.period.begin(self.offset), self.period.end(self.offset)
        days = max((min(now, end) - begin) // timedelta(days=1), 0)
        return begin, begin + timedelta(days=days)


def _sensors(rows: AssetQuerySet, asked: Asked) -> list[Subject]:
    """Return the sensors of a site among assets that measure air; the retired ones too, since they measured then."""
    found = environment.of_air(telemetry.subjects(rows.filter(site=asked.site, kind=Kind.SENSOR)), asked.codes)
    if len(found) > MOST_SENSORS:
        told = f"the site has {len(found)} sensors of air, and {MOST_SENSORS} fit into a report"
        raise Invalid(told, pointer="/site")
    return found


def drawn(asked: Asked, *, now: datetime, among: AssetQuerySet | None = None) -> dict[str, Any]:
    """Return what a report says in JSON's own types: of every sensor of the site, or of those ``among`` assets.

    Raises:
        Invalid: they are too many for one report.
    """
    begin, through = asked.span(now)
    sensors = _sensors(Asset.objects.all() if among is None else among, asked)
    told = [_sensor(asked, sensor, begin, through) for sensor in sensors]
    return {
        "title": f"Air quality, {asked.site.name}, {asked.period.title}",
        "site": {"id": asked.site.pk, "name": asked.site.name, "timezone": asked.site.timezone},
        "period": str(asked.period),
        "utc_offset_minutes": asked.offset // timedelta(minutes=1),
        "from": isoformat(begin),
        "to": isoformat(asked.period.end(asked.offset)),
        "through": isoformat(through),
        "complete": through == asked.period.end(asked.offset),
        "limits": {
            "name": asked.limits.name,
            "title": asked.limits.title,
            "source": asked.limits.source,
            "capture": round(asked.limits.capture, DECIMALS),
        },
        "standard": {"name": asked.standard.name, "title": asked.standard.title, "source": asked.standard.source},
        "sensors": [one for one in told if one is not None],
    }


def _sensor(asked: Asked, sensor: Subject, begin: datetime, through: datetime) -> dict[str, Any] | None:
    year = year_until(asked.period.year, offset=asked.offset, at=through)
    air = environment.year_of_air(sensor, codes=asked.codes, year=year)
    if not air.hours:
        return None
    declared = environment.declared_for([sensor.id]).get(sensor.id)
    findings, missing = _findings(air, asked, year, begin)
    index, undeclared = _index(air, asked.standard, begin, through)
    span = (to_micros(begin), to_micros(through))
    return {
        "id": sensor.id,
        "name": sensor.name,
        "key": sensor.key,
        "corrections": dict(sorted(declared.corrections.items())) if declared else {},
        "parameters": [_parameter(code, hours, begin, through) for code, hours in air.hours.items()],
        "quality": quality_of(sensor.id, span),
        "index": index,
        "exceedances": findings,
        "missing": list(dict.fromkeys([*missing, *undeclared, *_lacking(air)])),
    }


def _lacking(air: Air) -> list[str]:
    """Tell what of the year was measured and is not known."""
    return [f"{code}: {hours.lacks} in the year so far" for code, hours in air.hours.items() if hours.lacks]


def _parameter(code: str, hours: Hours, begin: datetime, through: datetime) -> dict[str, Any]:
    """Tell how much of a parameter is known, its mean and its highest hour."""
    total, values = (through - begin) // HOUR, within(hours, begin, through)
    known = values[~np.isnan(values)]
    highest = int(np.nanargmax(values)) if len(known) else 0
    return {
        "parameter": code,
        "unit": hours.unit,
        "hours": total,
        "known": len(known),
        "capture": round(len(known) / total, DECIMALS) if total else 0.0,
        "mean": _rounded(float(known.mean())) if len(known) else None,
        "maximum": _rounded(float(known.max())) if len(known) else None,
        "maximum_at": isoformat(begin + (highest + 1) * HOUR) if len(known) else None,
    }


def within(hours: Hours, begin: datetime, through: datetime) -> np.ndarray:
    """Return the hours that end after ``begin`` and up to ``through``."""
    first = (begin - hours.first) // HOUR + 1
    return hours.values[first : first + (through - begin) // HOUR]


def _findings(air: Air, asked: Asked, year: Year, begin: datetime) -> tuple[list[dict[str, Any]], list[str]]:
    """Compare the year so far with each limit; one parameter that lacks a unit does not keep the others from it."""
    before = year_until(asked.period.year, offset=asked.offset, at=begin)
    found, missing = [], []
    for code, hours in air.hours.items():
        try:
            now, then = (exceedances({code: hours}, limits=asked.limits, year=one) for one in (year, before))
        except Invalid as error:
            missing += [fault.detail for fault in error.faults]
        else:
            found += [_finding(one, earlier) for one, earlier in zip(now, then, strict=True)]
    return found, missing


def _finding(one: Finding, before: Finding) -> dict[str, Any]:
    ends = one.forecast
    return {
        "limit": one.limit.key,
        "parameter": one.limit.parameter,
        "kind": one.limit.kind,
        "limit_value": str(one.limit.value),
        "unit": one.limit.amount.unit,
        "periods": str(one.limit.basis),
        "value": _rounded(one.value),
        "in_period": None if one.used is None else one.used - (before.used or 0),
        "used": one.used,
        "allowed": one.allowed,
        "left": one.left,
        "exceeded": one.exceeded,
        "capture": round(one.capture, DECIMALS),
        "forecast": [_rounded(end) for end in (ends.low, ends.expected, ends.high)] if ends else None,
        "reason": one.reason,
    }


def _index(air: Air, standard: Standard, begin: datetime, through: datetime) -> tuple[dict[str, Any] | None, list[str]]:
    """Count the hours of each class of the index, and tell the worst one."""
    hours, missing = _judgeable(air.hours, standard)
    found = standard.history(hours)
    first = (begin - found.first) // HOUR + 1 if len(found.index) else 0
    stretch = slice(first, first + (through - begin) // HOUR)
    index, places = found.index[stretch], found.categories(standard.categories)[stretch]
    known = places != NONE
    if not known.any():
        return None, missing
    names = [one.name for one in standard.categories]
    counts = np.bincount(places[known], minlength=len(names)).tolist()
    worst = int(index.argmax())
    dominant = int(found.dominant[stretch][worst])
    told: dict[str, int] = {}
    for name, count in zip(names, counts, strict=True):
        told[name] = told.get(name, 0) + count
    return {
        "hours": int(known.sum()),
        "classes": [{"class": name, "hours": count} for name, count in told.items()],
        "worst": int(index[worst]),
        "worst_class": names[int(places[worst])],
        "worst_at": isoformat(begin + (worst + 1) * HOUR),
        "dominant": None if dominant == NONE else found.parameters[dominant],
    }, missing


def _judgeable(hours: Mapping[str, Hours], standard: Standard) -> tuple[dict[str, Hours], list[str]]:
    """Leave out the parameters whose unit or reference the standard misses; say what that is."""
    try:
        standard.judge(hours, at=next(iter(hours.values())).last)
    except Invalid as error:
        left_out = {fault.pointer.split("/")[1] for fault in error.faults if fault.pointer.count("/") > 1}
        rest = {code: one for code, one in hours.items() if code not in left_out}
        return rest, [fault.detail for fault in error.faults]
    return dict(hours), []


def _rounded(value: float | None) -> float | None:
    # No negative zero: a database keeps numbers, and not the sign of nothing.
    return None if value is None else round(value, DECIMALS) + 0.0
