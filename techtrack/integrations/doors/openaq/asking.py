"""How OpenAQ's clients ask: the query parameters of its API v3, and its refusals of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from rest_framework.request import Request

from techtrack.core.clock import from_micros, to_micros
from techtrack.core.errors import Fault, Unprocessable
from techtrack.telemetry.domain.reading import FOREVER
from techtrack.telemetry.store.base import Span

T = TypeVar("T")
MOST = 1000
MOST_PAGES = 100_000
MOST_IDS = 100
BIGGEST_ID = 2**31 - 1
LONGEST_RADIUS = 25_000
COORDINATES, BOX = 2, 4
PAGES = frozenset({"page", "limit"})
PLACES = frozenset({"coordinates", "radius", "bbox", "iso", "countries_id"})
LOCATIONS = (
    PAGES
    | PLACES
    | {"providers_id", "parameters_id", "licenses_id", "instruments_id", "manufacturers_id", "owner_contacts_id"}
    | {"monitor", "mobile", "order_by", "sort_order"}
)
TIMES = PAGES | {"datetime_from", "datetime_to", "date_from", "date_to"}
EARLIEST, LATEST = datetime(1990, 1, 1), datetime(2100, 1, 1)  # noqa: DTZ001 - laid over with the zone of the place


class BadQuery(Unprocessable):
    """A query parameter that this door does not know, or cannot read."""

    code = "bad_query"

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(f"{name}: {detail}")
        self.faults = (Fault(name, self.code, detail),)


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for."""

    number: int
    limit: int

    @property
    def start(self) -> int:
        """The place of its first entry."""
        return (self.number - 1) * self.limit

    @property
    def end(self) -> int:
        """The place behind its last entry."""
        return self.number * self.limit


def refuse_strange(request: Request, known: Iterable[str]) -> None:
    """Refuse a parameter that nobody reads, or that comes twice."""
    for name, values in request.query_params.lists():
        if name not in set(known):
            raise BadQuery(name[:80], f"unknown here; known are {', '.join(sorted(known)) or 'none'}")
        if len(values) > 1:
            raise BadQuery(name, "give a parameter once")


def page(request: Request) -> Page:
    """Read ``page`` and ``limit``."""
    limit = _read(request, "limit", lambda text: _whole(text, MOST), f"a whole number from 1 to {MOST}") or 100
    number = _read(request, "page", lambda text: _whole(text, MOST_PAGES), f"a whole number from 1 to {MOST_PAGES}")
    found = Page(number or 1, limit)
    if found.start > MOST_PAGES:
        raise BadQuery("page", f"more than {MOST_PAGES} entries in: ask for a shorter time")
    return found


def ids(request: Request, name: str) -> frozenset[int] | None:
    """Read ids with commas between, None where none are asked for."""
    return _read(request, name, _ids, f"1 to {MOST_IDS} ids with commas between")


def flag(request: Request, name: str) -> bool | None:
    """Read ``true`` or ``false``."""
    return _read(request, name, lambda text: {"true": True, "false": False}[text.lower()], "true or false")


def word(request: Request, name: str, words: Iterable[str]) -> str | None:
    """Read one of several words, in small letters."""
    known = {one: one for one in words}
    return _read(request, name, lambda text: known[text.lower()], f"one of {', '.join(known)}")


def text(request: Request, name: str) -> str | None:
    """Read a country's two letters."""
    return _read(request, name, _country, "two letters")


def circle(request: Request) -> tuple[tuple[float, float], int] | None:
    """Read ``coordinates`` (latitude, longitude) and ``radius`` in metres, which go together."""
    place = _read(request, "coordinates", _place, "latitude and longitude with a comma between")
    radius = _read(request, "radius", lambda text: _whole(text, LONGEST_RADIUS), f"1 to {LONGEST_RADIUS} metres")
    if (place is None) != (radius is None):
        raise BadQuery("coordinates" if place is None else "radius", "coordinates and radius go together")
    return None if place is None or radius is None else (place, radius)


def box(request: Request) -> tuple[float, float, float, float] | None:
    """Read ``bbox``: least longitude and latitude, greatest longitude and latitude."""
    found = _read(request, "bbox", _box, "four numbers: least longitude and latitude, then the greatest")
    if found is not None and "coordinates" in request.query_params:
        raise BadQuery("bbox", "give a circle or a box, not both")
    return found


def span(request: Request, zone: ZoneInfo) -> Span:
    """Read from when to when; times without an offset are local ones of the place, days are whole ones."""
    start = _either(request, "from", zone)
    end = _either(request, "to", zone)
    first, last = FOREVER[0] if start is None else start, FOREVER[1] if end is None else end
    if first >= last:
        raise BadQuery("datetime_to", "it must be later than datetime_from")
    return first, last


def _either(request: Request, edge: str, zone: ZoneInfo) -> int | None:
    at = _read(request, f"datetime_{edge}", lambda text: _time(text, zone), "a time such as 2026-11-21T10:00:00Z")
    day = _read(request, f"date_{edge}", lambda text: _day(text, zone, edge), "a day such as 2026-11-21")
    if at is not None and day is not None:
        raise BadQuery(f"date_{edge}", f"give a day or a time, not both for {edge}")
    return day if at is None else at


def _read(request: Request, name: str, read: Callable[[str], T], expected: str) -> T | None:
    given = request.query_params.get(name)
    if given is None:
        return None
    try:
        return read(given)
    except (ValueError, KeyError, OverflowError):
        raise BadQuery(name, f"{expected} is expected") from None


def _whole(given: str, most: int) -> int:
    found = int(given) if given.isascii() and given.isdigit() and len(given) < 10 else 0  # noqa: PLR2004
    if not 1 <= found <= most:
        raise ValueError
    return found


def _ids(given: str) -> frozenset[int]:
    parts = given.split(",")
    if len(parts) > MOST_IDS:
        raise ValueError
    return frozenset(_whole(part.strip(), BIGGEST_ID) for part in parts)


def _country(given: str) -> str:
    if len(given) != 2 or not given.isascii() or not given.isalpha():  # noqa: PLR2004 - ISO 3166-1 alpha-2
        raise ValueError
    return given.upper()


def _numbers(given: str, many: int) -> list[float]:
    found = [float(part) for part in given.split(",")]
    if len(found) != many:
        raise ValueError
    return found


def _place(given: str) -> tuple[float, float]:
    latitude, longitude = _numbers(given, COORDINATES)
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):  # noqa: PLR2004 - degrees
        raise ValueError
    return latitude, longitude


def _box(given: str) -> tuple[float, float, float, float]:
    west, south, east, north = _numbers(given, BOX)
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):  # noqa: PLR2004 - degrees
        raise ValueError
    return west, south, east, north


def _time(given: str, zone: ZoneInfo) -> int:
    # A plus sign that was not escaped arrives as a space.
    found = datetime.fromisoformat(given.replace(" ", "+") if given.count(":") > 2 else given)  # noqa: PLR2004
    return _bounded(found if found.tzinfo else found.replace(tzinfo=zone))


def _day(given: str, zone: ZoneInfo, edge: str) -> int:
    found = date.fromisoformat(given) + timedelta(days=edge == "to")
    return _bounded(datetime(found.year, found.month, found.day, tzinfo=zone))


def _bounded(at: datetime) -> int:
    micros = to_micros(at)
    if not EARLIEST <= from_micros(micros).replace(tzinfo=None) < LATEST:
        raise ValueError
    return micros


def since(request: Request, zone: ZoneInfo) -> int:
    """Read ``datetime_min``: from when on values are new enough."""
    return _read(request, "datetime_min", lambda text: _time(text, zone), "a time with its offset") or FOREVER[0]
