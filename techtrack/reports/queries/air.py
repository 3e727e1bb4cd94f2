"""What a report on the air of a site says: captured data, doubts, the index, and exceedances, sensor by sensor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from techtrack.accounts.models import Site
from techtrack.airquality.averaging import standard_offset
from techtrack.airquality.exceedances import Year, year_until
from techtrack.airquality.hours import HOUR, Hours
from techtrack.airquality.limits import LimitSet
from techtrack.airquality.standard import Standard
from techtrack.assets.models import Asset, AssetQuerySet, Kind
from techtrack.core.clock import isoformat, to_micros
from techtrack.core.errors import Invalid
from techtrack.environment import queries as environment
from techtrack.environment.domain.correcting import Air
from techtrack.environment.queries import Stretch
from techtrack.reports.domain.numbers import DECIMALS, rounded
from techtrack.reports.domain.periods import Period
from techtrack.reports.queries.findings import Earlier, findings_of
from techtrack.reports.queries.index import index_of
from techtrack.reports.queries.marks import quality_of
from techtrack.telemetry import queries as telemetry
from techtrack.telemetry.queries import Subject

MOST_SENSORS = 200
# So much is read for a table that is made while somebody waits: twenty sensors for a year, all of them for a month.
MOST_DAYS = 7_320
# So many sensors are read in the same statements.
TOGETHER = 10
# What a report tells of a sensor has had these forms: 2 has means of several years, and of what dust was corrected.
CONTENT = 2


class Part(StrEnum):
    """A part of what a report tells of a sensor."""

    PARAMETERS = "parameters"
    QUALITY = "quality"
    INDEX = "index"
    EXCEEDANCES = "exceedances"


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


def drawn(asked: Asked, *, now: datetime) -> dict[str, Any]:
    """Return what a report says in JSON's own types, of every sensor of the site.

    Raises:
        Invalid: they are too many for one report.
    """
    sensors = _sensors(Asset.objects.all(), asked, pointer="/site")
    return _content(asked, now, sensors, tuple(Part))


def table_of(asked: Asked, part: Part, *, now: datetime, among: AssetQuerySet) -> dict[str, Any]:
    """Return one part of what a report says, of the sensors of the site ``among`` assets; nothing else is computed.

    Raises:
        Invalid: they are too many for that many days.
    """
    sensors = _sensors(among, asked, pointer="?site")
    begin, through = asked.span(now)
    start = begin if part is Part.PARAMETERS else year_until(asked.period.year, offset=asked.offset, at=through).begin
    days = (through - start) // timedelta(days=1)
    if len(sensors) * days > MOST_DAYS:
        told = f"{len(sensors)} sensors over {days} days are more than the {MOST_DAYS} days of a sensor that are read"
        instead = "an earlier or shorter period, one sensor at /api/sensors/{id}/exceedances/"
        more = f"while you wait: ask for {instead}, or draw up a report at /api/reports/air-quality/"
        raise Invalid(f"{told} {more}", pointer="?site")
    return _content(asked, now, sensors, (part,))


def _sensors(rows: AssetQuerySet, asked: Asked, *, pointer: str) -> list[Subject]:
    """Return the sensors of a site among assets that measure air; the retired ones too, since they measured then."""
    found = environment.of_air(telemetry.subjects(rows.filter(site=asked.site, kind=Kind.SENSOR)), asked.codes)
    if len(found) > MOST_SENSORS:
        told = f"the site has {len(found)} sensors of air, and {MOST_SENSORS} fit into a report"
        raise Invalid(told, pointer=pointer)
    return found


def _content(asked: Asked, now: datetime, sensors: Sequence[Subject], parts: Sequence[Part]) -> dict[str, Any]:
    begin, through = asked.span(now)
    return {
        "version": CONTENT,
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
            "capture_source": asked.limits.capture_source,
        },
        "standard": {"name": asked.standard.name, "title": asked.standard.title, "source": asked.standard.source},
        "sensors": [*_told(asked, sensors, (begin, through), parts)],
    }


def _told(
    asked: Asked, sensors: Sequence[Subject], span: tuple[datetime, datetime], parts: Sequence[Part]
) -> Iterator[dict[str, Any]]:
    """Tell of each sensor that measured something; some of them are read together."""
    begin, through = span
    year = year_until(asked.period.year, offset=asked.offset, at=through)
    for first in range(0, len(sensors), TOGETHER):
        some = sensors[first : first + TOGETHER]
        if [*parts] == [Part.PARAMETERS]:
            stretch = Stretch(begin + HOUR, max((through - begin) // HOUR, 1))
            airs = environment.air_of(some, codes=asked.codes, stretch=stretch)
        else:
            airs = environment.year_of_air(some, codes=asked.codes, year=year)
        earlier = environment.ozone_before(some, limits=asked.limits, year=year) if Part.EXCEEDANCES in parts else {}
        for sensor in some:
            if airs[sensor.id].hours:
                told = _Telling(asked, sensor, airs[sensor.id], year, earlier.get(sensor.id, {}))
                yield told.of(parts, begin, through)


@dataclass(frozen=True, slots=True)
class _Telling:
    """What is known of a sensor that is to be told of: its ``air``, and the ozone of ``earlier`` years."""

    asked: Asked
    sensor: Subject
    air: Air
    year: Year
    earlier: Earlier

    def of(self, parts: Sequence[Part], begin: datetime, through: datetime) -> dict[str, Any]:
        """Tell the parts that are asked for."""
        told: dict[str, Any] = {}
        missing: list[str] = []
        if Part.PARAMETERS in parts:
            hours = self.air.hours.items()
            told[Part.PARAMETERS] = [_parameter(code, one, begin, through) for code, one in hours]
        if Part.QUALITY in parts:
            told[Part.QUALITY] = quality_of(self.sensor.id, (to_micros(begin), to_micros(through)))
        if Part.EXCEEDANCES in parts:
            told[Part.EXCEEDANCES], missing = self._findings(begin)
        if Part.INDEX in parts:
            told[Part.INDEX], undeclared = index_of(self.air, self.asked.standard, begin, through)
            missing += undeclared
        told["missing"] = list(dict.fromkeys([*missing, *_lacking(self.air)]))
        return self._head() | {str(name): one for name, one in told.items()}

    def _head(self) -> dict[str, Any]:
        applied = sorted(self.air.applied.items())
        return {
            "id": self.sensor.id,
            "name": self.sensor.name,
            "key": self.sensor.key,
            "corrections": {code: one.name for code, one in applied},
            "corrected_from": {code: list(one.sources) for code, one in applied},
        }

    def _findings(self, begin: datetime) -> tuple[list[dict[str, Any]], list[str]]:
        air = environment.with_short(self.air, self.sensor, limits=self.asked.limits)
        until = year_until(self.year.number, offset=self.year.offset, at=begin)
        return findings_of(air, self.asked.limits, year=self.year, until=until, earlier=self.earlier)


def _lacking(air: Air) -> list[str]:
    """Tell what of the hours that were looked at was measured and is not known."""
    return [f"{code}: {hours.lacks} of those looked at" for code, hours in air.hours.items() if hours.lacks]


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
        "mean": rounded(float(known.mean())) if len(known) else None,
        "maximum": rounded(float(known.max())) if len(known) else None,
        "maximum_at": isoformat(begin + (highest + 1) * HOUR) if len(known) else None,
    }


def within(hours: Hours, begin: datetime, through: datetime) -> np.ndarray:
    """Return the hours that end after ``begin`` and up to ``through``."""
    first = (begin - hours.first) // HOUR + 1
    return hours.values[first : first + (through - begin) // HOUR]
