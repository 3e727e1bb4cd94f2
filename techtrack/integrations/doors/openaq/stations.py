"""OpenAQ's locations and sensors: our sensors, and the series of each, as far as a caller may see them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from techtrack.assets.models import Asset, AssetQuerySet, Parameter
from techtrack.integrations.domain.openaq import Measurand, measurand, moment
from techtrack.integrations.services import number_series
from techtrack.telemetry import queries as telemetry
from techtrack.telemetry.domain.reading import FOREVER
from techtrack.telemetry.queries import Subject
from techtrack.telemetry.store.base import LatestValue

# Who tells: there is one provider here.
PROVIDER = {"id": 1, "name": "TechTrack"}
NOWHERE = "ZZ"


@dataclass(slots=True)
class Station:
    """A sensor of ours, a location to OpenAQ's clients: what it measures by code, and the newest values."""

    asset: Asset
    subject: Subject
    measures: Mapping[str, Measurand]
    newest: Mapping[str, LatestValue]
    first: int | None
    numbers: dict[str, int] = field(default_factory=dict)

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of its site."""
        return ZoneInfo(self.subject.zone or "UTC")

    @property
    def place(self) -> tuple[float, float] | None:
        """Where it stands, or else its site: latitude and longitude."""
        for thing in (self.asset, self.asset.site):
            if thing is not None and thing.latitude is not None and thing.longitude is not None:
                return thing.latitude, thing.longitude
        return None

    @property
    def country(self) -> str:
        """Its country, where somebody has noted it among its attributes."""
        noted = self.asset.attributes.get("country")
        known = isinstance(noted, str) and len(noted) == 2 and noted.isalpha()  # noqa: PLR2004 - ISO 3166-1 alpha-2
        return noted.upper() if known else NOWHERE

    @property
    def is_monitor(self) -> bool:
        """Whether it is noted as one of reference grade."""
        return self.asset.attributes.get("monitor") is True

    @property
    def instrument(self) -> dict[str, Any]:
        """What it measures with: its type."""
        kind = self.asset.type
        return {"id": kind.pk if kind else 0, "name": self.asset.model or (kind.name if kind else "Unknown")}

    @property
    def owner(self) -> dict[str, Any]:
        """Its site."""
        site = self.asset.site
        return {"id": site.pk, "name": site.name} if site else {"id": 0, "name": PROVIDER["name"]}

    def coordinates(self) -> dict[str, float | None]:
        """Write where it stands."""
        latitude, longitude = self.place or (None, None)
        return {"latitude": latitude, "longitude": longitude}

    def moment(self, time: int | None) -> dict[str, str] | None:
        """Write a time as the clocks of the place show it."""
        return None if time is None else moment(time, self.zone)

    def last(self) -> int | None:
        """The time of its newest value."""
        return max((one.time for one in self.newest.values()), default=None)

    def series(self, code: str) -> dict[str, Any]:
        """Write what OpenAQ calls a sensor."""
        measure = self.measures[code]
        return {"id": self.numbers[code], "name": f"{measure.name} {measure.units}", "parameter": measure.as_json()}

    def latest(self, code: str) -> dict[str, Any]:
        """Write the newest value of a series."""
        found = self.newest[code]
        told = {"datetime": self.moment(found.time), "value": found.value, "coordinates": self.coordinates()}
        return told | {"sensorsId": self.numbers[code], "locationsId": self.asset.pk}

    def as_json(self, *, away: float | None = None) -> dict[str, Any]:
        """Write the location; ``away`` is how many metres it is from where somebody searches."""
        place = self.place
        return {
            "id": self.asset.pk,
            "name": self.asset.name,
            "locality": self.asset.site.name if self.asset.site else None,
            "timezone": self.zone.key,
            "country": {"id": None, "code": self.country, "name": self.country},
            "owner": self.owner,
            "provider": PROVIDER,
            "isMobile": False,
            "isMonitor": self.is_monitor,
            "instruments": [self.instrument],
            "sensors": [self.series(code) for code in self.measures],
            "coordinates": self.coordinates(),
            "licenses": None,
            "bounds": [place[1], place[0], place[1], place[0]] if place else [None] * 4,
            "distance": away,
            "datetimeFirst": self.moment(self.first),
            "datetimeLast": self.moment(self.last()),
        }


class Stations:
    """The stations of some sensors, looked at once; what each question needs is asked when it is first needed."""

    def __init__(self, rows: AssetQuerySet) -> None:
        self._rows = rows

    @cached_property
    def found(self) -> list[Station]:
        """All of them, by id; without numbers."""
        assets = {asset.pk: asset for asset in self._rows}
        if not assets:
            return []
        subjects = telemetry.subjects(Asset.objects.filter(pk__in=assets))
        values, first = telemetry.latest(assets), _first(assets)
        units = telemetry.units((subject, code) for subject in subjects for code in values.get(subject.id, ()))
        own = _own({code for newest in values.values() for code in newest})
        return [
            Station(
                assets[subject.id],
                subject,
                {code: measurand(code, units[subject.id, code], own.get(code, 0)) for code in sorted(newest)},
                newest,
                first.get(subject.id),
            )
            for subject in subjects
            for newest in (values.get(subject.id, {}),)
        ]


def numbered(stations: Sequence[Station]) -> Sequence[Station]:
    """Give the series of stations their numbers."""
    known = number_series((station.asset.pk, code) for station in stations for code in station.measures)
    for station in stations:
        station.numbers = {code: known[station.asset.pk, code] for code in station.measures}
    return stations


def _first(asset_ids: Iterable[int]) -> dict[int, int]:
    """Return the time of each asset's oldest reading; where hours of it have gone, an earlier one."""
    newest = telemetry.newest(asset_ids)
    pairs = zip(newest.assets.tolist(), newest.first_at.tolist(), strict=True)
    return {asset: time for asset, time in pairs if abs(time) < FOREVER[1]}


def _own(codes: Iterable[str]) -> dict[str, int]:
    return dict(Parameter.objects.filter(code__in=codes).values_list("code", "pk"))
