"""What the query of a history asks for, read and bounded."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from techtrack.accounts.domain.zones import check_zone
from techtrack.core import clock
from techtrack.core.api.filters import moment
from techtrack.core.api.pagination import whole_number
from techtrack.core.clock import to_micros
from techtrack.core.errors import Invalid
from techtrack.telemetry.api.listing import codes
from techtrack.telemetry.domain.aggregation import BY_NAME, COMPLETENESS, percentile_of
from techtrack.telemetry.domain.gaps import Fill
from techtrack.telemetry.domain.windows import DAY, Interval, nice_interval, read_interval
from techtrack.telemetry.queries import Question, Subject
from techtrack.telemetry.store.base import Span

MOST_POINTS = 20_000
MOST_STATISTICS = 20
FEWEST_DRAWN = 4
COUNT = "count"  # always told
DEFAULT = "avg,min,max"
STATISTICS = (COUNT, *BY_NAME, COMPLETENESS)
PARAMETERS = {"parameter", "from", "to", "interval", "points", "statistic", "fill", "timezone", "downsample", "format"}
DESCRIBED = [
    OpenApiParameter("parameter", OpenApiTypes.STR, description="codes, separated by commas; all if left out"),
    OpenApiParameter("from", OpenApiTypes.DATETIME, description="a day before `to` if left out"),
    OpenApiParameter("to", OpenApiTypes.DATETIME, description="now if left out; this moment itself does not count"),
    OpenApiParameter(
        "interval",
        OpenApiTypes.STR,
        description="`auto`, or an ISO 8601 duration: `PT10S`, `PT1H`, and days, weeks (from Monday), months and years "
        "of the calendar in the time zone: `P1D`, `P1W`, `P1M`, `P1Y`. The first and last bucket hold no more than "
        "what lies between `from` and `to`.",
    ),
    OpenApiParameter(
        "points", {"type": "integer", "minimum": 1, "maximum": MOST_POINTS}, description="about so many, with `auto`"
    ),
    OpenApiParameter(
        "statistic",
        OpenApiTypes.STR,
        description=f"of {', '.join(STATISTICS)} and p01 to p99 (also p99.9), separated by commas; `{DEFAULT}` if left "
        "out, and `count` always. `stddev` is that of a sample. `delta` is last less first. `twa` is the time-weighted "
        "average: a value holds until the next reading, from the first to the last reading of the bucket. Percentiles "
        "are exact, from raw readings; null, with a note, where those are no longer kept. `completeness` is the share "
        "of the readings that the expected interval promises, null where none is known.",
    ),
    OpenApiParameter(
        "fill",
        enum=[*Fill],
        default="none",
        description="what stands in buckets without values; `none` leaves them out; `previous` reaches back before "
        "`from` too, so that a bucket reads the same wherever the question begins",
    ),
    OpenApiParameter(
        "timezone",
        OpenApiTypes.STR,
        description="such as Europe/Berlin; the site's, where all assets share one, else UTC",
    ),
    OpenApiParameter(
        "downsample",
        enum=["lttb"],
        description="readings for a drawing instead of buckets: about `points` of each series, chosen by min-max-LTTB, "
        "the first, the last and the extremes among them; the columns are `time` and `value`",
    ),
]


def read_span(request: Request, *, default: int = DAY) -> Span:
    """Read ``from`` and ``to`` (now); without ``from``, ``default`` µs before.

    Raises:
        Invalid: one is no time, or they are the wrong way round.
    """
    end = moment(request, "to", to_micros(clock.now()))
    start = moment(request, "from", end - default)
    if start >= end:
        raise Invalid("from lies before to", pointer="?from")
    return start, end


def read_question(request: Request, subjects: list[Subject]) -> Question:
    """Read what buckets are asked for.

    Raises:
        Invalid: a parameter is not what it should be, or there would be too many buckets.
    """
    span = read_span(request)
    return Question(
        subjects=subjects,
        codes=codes(request),
        span=span,
        interval=_interval(request, span),
        zone=read_zone(request, subjects),
        statistics=_statistics(request),
        fill=_fill(request),
        now=to_micros(clock.now()),
    )


def asks_for_drawing(request: Request) -> bool:
    """Tell whether readings for a drawing are wanted rather than buckets.

    Raises:
        Invalid: of a kind that there is not, or together with what speaks of buckets.
    """
    kind = request.query_params.get("downsample")
    if kind is None:
        return False
    if kind != "lttb":
        raise Invalid("downsample is lttb, or left out", pointer="?downsample")
    for name in ("interval", "statistic", "fill"):
        if name in request.query_params:
            raise Invalid(f"{name} speaks of buckets, and downsample gives readings", pointer=f"?{name}")
    return True


def read_points(request: Request, *, fewest: int = 1) -> int:
    """Read about how many points are wanted."""
    points = whole_number(request, "points", default=500, highest=MOST_POINTS)
    if points < fewest:
        raise Invalid(f"points is a whole number from {fewest} to {MOST_POINTS}", pointer="?points")
    return points


def read_zone(request: Request, subjects: list[Subject]) -> ZoneInfo:
    """Read the time zone; without one, that of the assets' site."""
    name = request.query_params.get("timezone")
    if name is not None:
        check_zone(name, pointer="?timezone")
        return ZoneInfo(name)
    zones = {subject.zone for subject in subjects}
    return ZoneInfo((zones.pop() if len(zones) == 1 else None) or "UTC")


def _interval(request: Request, span: Span) -> Interval:
    length, points = span[1] - span[0], read_points(request)
    text = request.query_params.get("interval", "auto")
    interval = nice_interval(length, points=points) if text == "auto" else read_interval(text)
    if interval is None:
        raise Invalid(
            "interval is auto, or an ISO 8601 duration from PT1S to P10Y, such as PT1H, P1D or P1M", pointer="?interval"
        )
    if length / interval.nominal > MOST_POINTS:
        raise Invalid(f"that would be more than {MOST_POINTS} buckets; choose a longer interval", pointer="?interval")
    return interval


def _fill(request: Request) -> Fill:
    text = request.query_params.get("fill", Fill.NONE)
    if text not in list(Fill):
        raise Invalid(f"fill is one of {', '.join(Fill)}", pointer="?fill")
    return Fill(text)


def _statistics(request: Request) -> list[str]:
    text = request.query_params.get("statistic", DEFAULT)
    names = list(dict.fromkeys(name for name in text.split(",") if name))
    if not 1 <= len(names) <= MOST_STATISTICS:
        raise Invalid(f"1 to {MOST_STATISTICS} statistics are expected", pointer="?statistic")
    for name in names:
        _check_statistic(name)
    return [name for name in names if name != COUNT]


def _check_statistic(name: str) -> None:
    if name not in STATISTICS and percentile_of(name) is None:
        known = ", ".join(STATISTICS)
        raise Invalid(f"{name[:80]!r} is no statistic; there are {known}, and p01 to p99", pointer="?statistic")
