"""OpenAQ's API v3, served from our sensors to whoever may see them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from techtrack.airquality.quality import Flag
from techtrack.core import clock
from techtrack.core.api import problems
from techtrack.core.api.limits import budgets
from techtrack.core.clock import to_micros
from techtrack.core.errors import Invalid, NotFound, Unprocessable
from techtrack.integrations import queries
from techtrack.integrations.domain.openaq import DAYS, HOURS, MONTHS, YEARS, Measurand, Rollup, distance
from techtrack.integrations.doors.openaq import asking
from techtrack.integrations.doors.openaq.asking import Page
from techtrack.integrations.doors.openaq.measurements import Listed, Series
from techtrack.integrations.doors.openaq.stations import PROVIDER, Station, Stations, numbered
from techtrack.telemetry import queries as telemetry
from techtrack.telemetry.domain.quality import Quality
from techtrack.telemetry.domain.reading import FOREVER
from techtrack.telemetry.models import QualityMark

# What a caller without limit is told: its clients want a number.
UNLIMITED = 1_000_000
# Numbers of flags: what people say comes first.
TESTS = 10
ROLLUPS: Mapping[str, Rollup] = {"hours": HOURS, "days": DAYS, "months": MONTHS, "years": YEARS}


class Unlisted(NotFound):
    """There is no such location, sensor or parameter, or the caller may not see it."""


class OpenAqView(APIView):
    """A door whose clients are OpenAQ's: keys go by ``X-API-Key``, lists by ``page`` and ``limit``."""

    # OpenAQ documents its API; which of it is served here stands in docs/reference/openaq.md.
    schema = None
    remembers_callers = True
    known: ClassVar[frozenset[str]] = asking.PAGES
    http_method_names = ["get", "head", "options"]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        asking.refuse_strange(request, self.known)

    def get_exception_handler(self) -> Callable[..., Response]:
        """Refuse in OpenAQ's form: 422 for what cannot be read of a question."""
        return _refused

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        # Its client waits a minute where it is not told that something is left.
        access, quota = getattr(request, "auth", None), settings.LIMITS["api"]
        left, reset = budgets.left(access.principal, quota, time.monotonic()) if access and quota else (UNLIMITED, 0.0)
        limit = quota or UNLIMITED
        told = {"limit": limit, "used": limit - min(left, limit), "remaining": left, "reset": math.ceil(reset)}
        for name, number in told.items():
            response[f"x-ratelimit-{name}"] = str(number)
        return response

    def stations(self, request: Request, **of: Any) -> list[Station]:
        """Return the sensors that the caller may see."""
        access: Any = request.auth
        return Stations(queries.sensors(access).filter(**of)).found

    def station(self, request: Request, pk: int) -> Station:
        """Return one of them, with numbers for its series."""
        found = self.stations(request, pk=pk) if pk <= asking.BIGGEST_ID else []
        if not found:
            raise Unlisted("Location not found")
        return numbered(found)[0]

    def series(self, request: Request, pk: int) -> Series:
        """Return the series of a number."""
        named = queries.numbered(pk) if pk <= asking.BIGGEST_ID else None
        found = self.stations(request, pk=named[0]) if named else []
        if named is None or not found or named[1] not in found[0].measures:
            raise Unlisted("Sensor not found")
        return Series(numbered(found)[0], named[1], to_micros(clock.now()))


class LocationsView(OpenAqView):
    """``/v3/locations``: our sensors, by where they stand and what they measure."""

    known = asking.LOCATIONS

    def get(self, request: Request) -> Response:
        page, found = asking.page(request), self.stations(request)
        listed = [(station, away) for station, away in _near(request, found) if _suits(request, station)]
        ordering = asking.word(request, "order_by", ("id", "distance"))
        if ordering == "distance":
            listed.sort(key=lambda pair: pair[1] or 0.0)
        if asking.word(request, "sort_order", ("asc", "desc")) == "desc":
            listed.reverse()
        shown = listed[page.start : page.end]
        numbered([station for station, _ in shown])
        return _page(page, [station.as_json(away=away) for station, away in shown], len(listed))


class LocationView(OpenAqView):
    """``/v3/locations/{id}``."""

    known = frozenset()

    def get(self, request: Request, pk: int) -> Response:
        return _page(Page(1, 100), [self.station(request, pk).as_json()], 1)


class LocationLatestView(OpenAqView):
    """``/v3/locations/{id}/latest``: the newest value of each of its series."""

    known = asking.PAGES | {"datetime_min"}

    def get(self, request: Request, pk: int) -> Response:
        return _latest(request, [self.station(request, pk)])


class LocationSensorsView(OpenAqView):
    """``/v3/locations/{id}/sensors``: its series."""

    def get(self, request: Request, pk: int) -> Response:
        station, now = self.station(request, pk), to_micros(clock.now())
        return _listed(request, [_sensor(Series(station, code, now)) for code in station.measures])


class LocationFlagsView(OpenAqView):
    """``/v3/locations/{id}/flags``: stretches of which somebody, or a test of the platform, doubts the values."""

    known = asking.TIMES

    def get(self, request: Request, pk: int) -> Response:
        station = self.station(request, pk)
        first, last = asking.span(request, station.zone)
        page, marks = asking.page(request), telemetry.marks(asset_id=station.asset.pk, start=first, end=last)
        doubted = marks.exclude(quality=Quality.GOOD)
        return _page(page, [_flag(station, mark) for mark in doubted[page.start : page.end]], doubted.count())


class SensorView(OpenAqView):
    """``/v3/sensors/{id}``: a series."""

    known = frozenset()

    def get(self, request: Request, pk: int) -> Response:
        return _page(Page(1, 100), [_sensor(self.series(request, pk))], 1)


class MeasurementsView(OpenAqView):
    """``/v3/sensors/{id}/measurements``: values as they came."""

    known = asking.TIMES

    def get(self, request: Request, pk: int) -> Response:
        series, page = self.series(request, pk), asking.page(request)
        return _told(page, series.raw(asking.span(request, series.station.zone), page))


class RollupView(OpenAqView):
    """``/v3/sensors/{id}/hours`` and its like: means of whole stretches by the clocks of the place."""

    known = asking.TIMES
    rollup = ""

    def get(self, request: Request, pk: int) -> Response:
        series, page = self.series(request, pk), asking.page(request)
        span = asking.span(request, series.station.zone)
        return _told(page, series.rolled(span, page, ROLLUPS[self.rollup]))


class ParametersView(OpenAqView):
    """``/v3/parameters``: what is measured by the sensors that the caller may see."""

    known = asking.PAGES | asking.PLACES | {"parameter_type", "order_by", "sort_order"}

    def get(self, request: Request) -> Response:
        kind = asking.word(request, "parameter_type", ("pollutant", "meteorological"))
        found = [one for one in _measured(self._near(request)) if kind in {None, one.kind}]
        if asking.word(request, "sort_order", ("asc", "desc")) == "desc":
            found.reverse()
        asking.word(request, "order_by", ("id",))
        return _listed(request, [_parameter(one) for one in found])

    def _near(self, request: Request) -> Iterator[Station]:
        for station, _ in _near(request, self.stations(request)):
            if asking.text(request, "iso") in {None, station.country} and not asking.ids(request, "countries_id"):
                yield station


class ParameterView(OpenAqView):
    """``/v3/parameters/{id}``."""

    known = frozenset()

    def get(self, request: Request, pk: int) -> Response:
        found = [one for one in _measured(self.stations(request)) if one.id == pk]
        if not found:
            raise Unlisted("Parameter not found")
        return _page(Page(1, 100), [_parameter(one) for one in found[:1]], 1)


class ParameterLatestView(OpenAqView):
    """``/v3/parameters/{id}/latest``: the newest value of each series of a parameter."""

    known = asking.PAGES | {"datetime_min"}

    def get(self, request: Request, pk: int) -> Response:
        stations = [one for one in self.stations(request) if pk in {of.id for of in one.measures.values()}]
        if not stations:
            raise Unlisted("Parameter not found")
        return _latest(request, numbered(stations), only=pk)


def _near(request: Request, stations: Iterable[Station]) -> Iterator[tuple[Station, float | None]]:
    """Give the stations inside of the circle or the box that is asked for, with how far each is from the middle."""
    circle, box = asking.circle(request), asking.box(request)
    for station in stations:
        place = station.place
        if circle is not None:
            away = distance(circle[0], place) if place else math.inf
            if away <= circle[1]:
                yield station, away
        elif box is None or (place and box[1] <= place[0] <= box[3] and box[0] <= place[1] <= box[2]):
            yield station, None


def _suits(request: Request, station: Station) -> bool:
    """Tell whether a station is one of those that the filters mean; what nobody here has, suits none."""
    has = {
        "providers_id": {PROVIDER["id"]},
        "owner_contacts_id": {station.owner["id"]},
        "instruments_id": {station.instrument["id"]},
        "parameters_id": {one.id for one in station.measures.values()},
        "countries_id": set(),
        "licenses_id": set(),
        "manufacturers_id": set(),
    }
    asked = {name: asking.ids(request, name) for name in has}
    if any(ids is not None and not ids & has[name] for name, ids in asked.items()):
        return False
    country, monitor, mobile = (
        asking.text(request, "iso"),
        asking.flag(request, "monitor"),
        asking.flag(request, "mobile"),
    )
    return country in {None, station.country} and monitor in {None, station.is_monitor} and mobile is not True


def _measured(stations: Iterable[Station]) -> list[Measurand]:
    found = {one.id: one for station in stations for one in station.measures.values()}
    return [found[pk] for pk in sorted(found)]


def _parameter(one: Measurand) -> dict[str, Any]:
    return one.as_json() | {"description": None}


def _sensor(series: Series) -> dict[str, Any]:
    station, code = series.station, series.code
    latest = {name: told for name, told in station.latest(code).items() if not name.endswith("Id")}
    covered = series.summary()
    ends = {"datetimeFirst": station.moment(station.first), "datetimeLast": station.moment(station.newest[code].time)}
    return station.series(code) | ends | {"coverage": covered, "latest": latest, "summary": None}


def _latest(request: Request, stations: Sequence[Station], *, only: int | None = None) -> Response:
    since = asking.since(request, stations[0].zone)
    listed = [
        station.latest(code)
        for station in stations
        for code, one in station.measures.items()
        if only in {None, one.id} and station.newest[code].time >= since
    ]
    return _listed(request, listed)


def _flag(station: Station, mark: QualityMark) -> dict[str, Any]:
    quality = Quality(mark.quality)
    level = "warning" if quality is Quality.SUSPECT else "error"
    codes = [mark.code] if mark.code else list(station.measures)
    first, last = max(mark.start_at, station.first or FOREVER[0]), min(mark.end_at, station.last() or FOREVER[1])
    return {
        "locationId": station.asset.pk,
        "flagType": {"id": _flag_id(mark), "label": mark.flag or quality.name.lower(), "level": level},
        "datetimeFrom": station.moment(first),
        "datetimeTo": station.moment(max(first, last)),
        "sensorIds": [station.numbers[code] for code in codes if code in station.numbers],
        "note": mark.reason or None,
    }


def _flag_id(mark: QualityMark) -> int:
    """Number what doubts a value: a person by how much, or a test."""
    tests = [flag.value for flag in Flag]
    return TESTS + tests.index(mark.flag) if mark.flag in tests else mark.quality


def _listed(request: Request, everything: list[dict[str, Any]]) -> Response:
    page = asking.page(request)
    return _page(page, everything[page.start : page.end], len(everything))


def _told(page: Page, listed: Listed) -> Response:
    return _page(page, listed.results, listed.found)


def _page(page: Page, results: list[dict[str, Any]], found: int | str) -> Response:
    meta = {"name": "techtrack", "website": "/", "page": page.number, "limit": page.limit, "found": found}
    return Response({"meta": meta, "results": results})


def _refused(error: Exception, context: Mapping[str, Any]) -> Response:
    """Write an error as OpenAQ does: ``detail`` is a text, or a list of what is wrong with the question."""
    if isinstance(error, Invalid):
        faults = error.faults
        error = Unprocessable(error.detail)
        error.faults = faults
    response = problems.handle(error, context)
    told = response.data["errors"]
    wrong = [{"type": one["code"], "loc": ["query", one["pointer"]], "msg": one["detail"]} for one in told]
    response.data = {"detail": wrong or response.data["detail"]}
    response.content_type = "application/json"
    return response
