"""Buckets of series: statistics from what the store keeps merged, percentiles from the readings themselves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from techtrack.core.errors import Invalid
from techtrack.telemetry.domain.aggregation import (
    COMPLETENESS,
    completeness,
    percentile_of,
    percentiles,
    statistic,
)
from techtrack.telemetry.domain.directions import FULL_CIRCLE, is_direction
from techtrack.telemetry.domain.gaps import Fill, filled
from techtrack.telemetry.domain.reading import Floats, Ints
from techtrack.telemetry.domain.statistics import STATISTICS, Statistics
from techtrack.telemetry.domain.windows import Interval, edges
from techtrack.telemetry.queries.before import newest_before
from techtrack.telemetry.queries.directions import directions
from techtrack.telemetry.queries.subjects import Subject
from techtrack.telemetry.queries.walking import walk
from techtrack.telemetry.store.base import Series, Span
from techtrack.telemetry.store.database import store

# What a direction has as other parameters do.
OF_DIRECTIONS = ("first", "last")
MOST_CELLS = 500_000
MOST_RAW = 20_000_000


class TooMuch(Invalid):
    """The answer would be larger than is good for anybody; ask for less at once."""

    code = "too_much"


@dataclass(frozen=True, slots=True)
class Question:
    """What to tell of which series: without ``codes`` all parameters; ``now`` (µs) ends what can be expected."""

    subjects: Sequence[Subject]
    codes: Sequence[str]
    span: Span
    interval: Interval
    zone: ZoneInfo
    statistics: Sequence[str]
    fill: Fill
    now: int


@dataclass(frozen=True, slots=True)
class SeriesBuckets:
    """One series: ``starts`` (µs), ``count`` and the statistics by name, one entry a bucket; NaN where there is none.

    ``notes`` says by statistic why some of its entries are missing.
    """

    subject: Subject
    code: str
    starts: Ints
    count: Ints
    columns: Mapping[str, Floats]
    completeness: float | None
    notes: Mapping[str, str] = field(default_factory=dict)


def history(question: Question) -> list[SeriesBuckets]:
    """Return the buckets of every series that has a usable value in the span; the asked order of parameters is kept.

    The first and the last bucket hold no more than what lies in the span. Where gaps are filled with what was before,
    that may lie before the span: then a series without a value in it is there too.

    Raises:
        TooMuch: buckets times series, or the readings that percentiles need, are too many.
    """
    bounds = edges(question.interval, start=question.span[0], end=question.span[1], zone=question.zone)
    starts, bounds = bounds[:-1], bounds.copy()
    bounds[0], bounds[-1] = question.span
    ids = [subject.id for subject in question.subjects]
    found = dict(store.statistics(ids, codes=question.codes, edges=bounds))
    ahead = _ahead(question, found) if question.fill is Fill.PREVIOUS else {}
    found |= {series: np.zeros(len(starts), STATISTICS) for series in ahead.keys() - found.keys()}
    _refuse_too_much(question, found, len(starts))
    exact = _exact(question, found, bounds)
    by_id = {subject.id: subject for subject in question.subjects}
    return [
        _series(
            question,
            by_id[asset],
            code,
            (starts, bounds),
            found[asset, code],
            _Beside(exact.get((asset, code), {}), ahead.get((asset, code), {})),
        )
        for asset, code in sorted(found, key=lambda series: _order(question, series))
    ]


class _Beside(NamedTuple):
    """What is told of a series beside its statistics: what these do not tell of buckets, and what came ahead of all."""

    exact: Mapping[str, Floats]
    ahead: Mapping[str, float]


def _ahead(question: Question, found: Mapping[Series, Statistics]) -> dict[Series, dict[str, float]]:
    """Return what the newest bucket before the span says, of each series whose first bucket in it is empty.

    So a bucket is told the same wherever the question begins.
    """
    ids = [subject.id for subject in question.subjects]
    told = {series for series, statistics in found.items() if statistics["count"][0]}
    buckets: dict[Span, list[Series]] = defaultdict(list)
    for series, at in newest_before(ids, codes=question.codes, at=question.span[0], but=told).items():
        start, end = edges(question.interval, start=at, end=at + 1, zone=question.zone).tolist()
        buckets[start, min(end, question.span[0])].append(series)
    said = {}
    for bucket, inside in buckets.items():
        bounds = np.array(bucket)
        there = store.statistics({asset for asset, _ in inside}, codes=question.codes, edges=bounds)
        there = {series: there[series] for series in inside}
        _refuse_too_much(question, there, 1)
        exact = _exact(question, there, bounds)
        for series, one in there.items():
            own = exact.get(series, {})
            names = [name for name in question.statistics if name != COMPLETENESS]
            said[series] = {name: float((own[name] if name in own else statistic(name, one))[0]) for name in names}
    return said


def _order(question: Question, series: Series) -> tuple[int, int, str]:
    asset, code = series
    return asset, question.codes.index(code) if question.codes else 0, code


def _refuse_too_much(question: Question, found: Mapping[Series, Statistics], buckets: int) -> None:
    cells = buckets * len(found) * (len(question.statistics) + 1)
    if cells > MOST_CELLS:
        raise TooMuch(
            f"that would be {cells} numbers, and {MOST_CELLS} come at once: ask for longer intervals or fewer series",
            pointer="?interval",
        )
    values = sum(int(statistics["count"].sum()) for statistics in found.values())
    if values > MOST_RAW and any(percentile_of(name) for name in question.statistics):
        raise TooMuch(
            f"percentiles read every value, and these are {values}; ask for a shorter time", pointer="?statistic"
        )


def _series(
    question: Question,
    subject: Subject,
    code: str,
    at: tuple[Ints, Ints],
    found: Statistics,
    beside: _Beside,
) -> SeriesBuckets:
    (starts, bounds), exact = at, beside.exact
    lengths = np.diff(np.minimum(bounds, question.now))
    whole = completeness(found["count"].sum(keepdims=True), lengths.sum(keepdims=True), subject.expected)[0]
    # A slice where all are shown: it copies nothing.
    there = found["count"] > 0
    shown = slice(None) if question.fill is not Fill.NONE or there.all() else np.flatnonzero(there)
    found, starts = found[shown], starts[shown]
    columns: dict[str, Floats] = {}
    notes = {}
    for name in question.statistics:
        if name == COMPLETENESS:
            columns[name] = completeness(found["count"], lengths[shown], subject.expected)
            continue
        values = exact[name][shown] if name in exact else statistic(name, found)
        if name in exact and (gone := int(np.isnan(values[found["count"] > 0]).sum())):
            notes[name] = _why(name, code, gone)
        period = FULL_CIRCLE if is_direction(code) else None
        columns[name] = filled(values, starts, question.fill, beside.ahead.get(name, np.nan), period=period)
    return SeriesBuckets(
        subject, code, starts, found["count"], columns, None if np.isnan(whole) else float(whole), notes
    )


def _why(name: str, code: str, gone: int) -> str:
    if not is_direction(code):
        return f"{gone} buckets have none: their raw readings are no longer kept, or cannot be read"
    if name != "avg":
        return f"a direction has no {name}: behind 360 degrees comes 0"
    return f"{gone} buckets have none: their directions cancel, or the store is to be rebuilt first"


def _exact(question: Question, found: Mapping[Series, Statistics], bounds: Ints) -> dict[Series, dict[str, Floats]]:
    """Compute what statistics do not tell: percentiles, and means of directions, of which all but the ends are NaN."""
    turned = directions(found, bounds)
    exact = _percentiles(question, {series: one for series, one in found.items() if series not in turned}, bounds)
    for series, means in turned.items():
        nothing = np.full_like(means, np.nan)
        names = set(question.statistics) - {COMPLETENESS, *OF_DIRECTIONS}
        exact[series] = {name: means if name == "avg" else nothing for name in names}
    return exact


def _percentiles(
    question: Question, found: Mapping[Series, Statistics], bounds: Ints
) -> dict[Series, dict[str, Floats]]:
    """Compute the percentiles asked for; NaN in buckets of which the store no longer has every value."""
    names = [name for name in question.statistics if percentile_of(name) is not None]
    shares = [share for name in names if (share := percentile_of(name)) is not None]
    exact: dict[Series, dict[str, Floats]] = {}
    for asset in {asset for asset, _ in found} if names else ():
        codes = [code for other, code in found if other == asset]
        for code, (times, values) in _gathered(asset, codes, (int(bounds[0]), int(bounds[-1]))):
            columns = _by_bucket(times, values, bounds, shares, found[asset, code]["count"])
            exact[asset, code] = dict(zip(names, columns, strict=True))
    return exact


def _gathered(asset: int, codes: Sequence[str], span: Span) -> Iterator[tuple[str, tuple[Ints, Floats]]]:
    pieces: dict[str, list[tuple[Ints, Floats]]] = {code: [] for code in codes}
    for readings in walk(asset, span, codes=codes, readings=100_000):
        for code in codes:
            pieces[code].append(readings.usable(code))
    for code, parts in pieces.items():
        times, values = zip(*parts, strict=True) if parts else ((), ())
        yield (
            code,
            (np.concatenate([np.empty(0, np.int64), *times]), np.concatenate([np.empty(0), *values])),
        )


def _by_bucket(times: Ints, values: Floats, bounds: Ints, shares: list[float], counts: Ints) -> list[Floats]:
    columns = [np.full(len(counts), np.nan) for _ in shares]
    if len(times):
        where = np.searchsorted(bounds, times, "right") - 1
        starts = np.flatnonzero(np.diff(where, prepend=-1))
        places = where[starts]
        there = np.diff(np.append(starts, len(times))) == counts[places]
        for column, found in zip(columns, percentiles(values, starts, shares), strict=True):
            column[places[there]] = found[there]
    return columns
