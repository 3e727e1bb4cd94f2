"""What a question about the air asks for: of which sensor or site, by which standard, at what moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from techtrack.accounts.models import Site
from techtrack.airquality.limit_sets import LIMIT_SETS, limit_set
from techtrack.airquality.limits import LimitSet
from techtrack.airquality.standard import Standard, standards
from techtrack.assets.models import Asset, Kind
from techtrack.core import clock
from techtrack.core.api.filters import BIGGEST_ID, moment
from techtrack.core.clock import from_micros, to_micros
from techtrack.core.errors import Invalid, NotFound
from techtrack.telemetry import queries as telemetry
from techtrack.telemetry.queries import Subject

USUAL, USUAL_LIMITS = "us_epa", "who_2021"
FIRST_YEAR, LAST_YEAR = 2000, 2099
STANDARD = OpenApiParameter("standard", OpenApiTypes.STR, enum=standards.names(), default=USUAL)
METHOD = OpenApiParameter(
    "method",
    OpenApiTypes.STR,
    description="how the standard averages, as `GET /api/air-quality/standards/` lists; its usual way if left out",
)
AT = OpenApiParameter(
    "at", OpenApiTypes.DATETIME, description="closes the averaging periods: readings before it count; now if left out"
)
LIMITS = OpenApiParameter("standard", OpenApiTypes.STR, enum=[*LIMIT_SETS], default=USUAL_LIMITS)
YEAR = OpenApiParameter(
    "year",
    {"type": "integer", "minimum": FIRST_YEAR, "maximum": LAST_YEAR},
    description="of the site's standard time; the present one if left out",
)


def asked_sensor(request: Request, pk: int) -> Subject:
    """Return the sensor of an address.

    Raises:
        NotFound: there is none, or the caller may not see it.
    """
    access: Any = request.auth
    rows = Asset.objects.visible_to(access).filter(pk=min(pk, BIGGEST_ID), kind=Kind.SENSOR)
    found = telemetry.subjects(rows)
    if not found:
        raise NotFound("there is no such sensor")
    return found[0]


def asked_site(request: Request, pk: int) -> Site:
    """Return the site of an address; raises as ``asked_sensor`` does."""
    access: Any = request.auth
    found: Site | None = Site.objects.visible_to(access).filter(pk=min(pk, BIGGEST_ID)).first()
    if found is None:
        raise NotFound("there is no such site")
    return found


def asked_standard(request: Request) -> tuple[Standard, str | None]:
    """Read by which standard and method is to be judged.

    Raises:
        Invalid: there is no such standard.
    """
    standard: Standard = standards.get(request.query_params.get("standard", USUAL), pointer="?standard")
    return standard, request.query_params.get("method")


def asked_limits(request: Request) -> LimitSet:
    """Read against which limits is to be compared.

    Raises:
        Invalid: there are no such limits.
    """
    return limit_set(request.query_params.get("standard", USUAL_LIMITS), pointer="?standard")


def asked_moment(request: Request) -> datetime:
    """Read ``at``; now without it."""
    return from_micros(moment(request, "at", to_micros(clock.plant_now())))


def asked_year(request: Request, *, offset: timedelta) -> int:
    """Read ``year``; the present one by a clock ``offset`` ahead of UTC without it.

    Raises:
        Invalid: it is no year of this century.
    """
    text = request.query_params.get("year")
    if text is None:
        return (clock.plant_now() + offset).year
    year = int(text) if text.isascii() and text.isdigit() and len(text) == 4 else 0  # noqa: PLR2004 - a year's digits
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise Invalid(f"year is one from {FIRST_YEAR} to {LAST_YEAR}", pointer="?year")
    return year


@contextmanager
def about_the_query() -> Iterator[None]:
    """Let what the library says of the method point to the query."""
    try:
        yield
    except Invalid as error:
        if [fault.pointer for fault in error.faults] == ["/method"]:
            error.faults = tuple(replace(fault, pointer="?method") for fault in error.faults)
        raise
