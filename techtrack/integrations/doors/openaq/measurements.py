"""OpenAQ's measurements of one series: values as they came, or gathered by hours, days, months or years."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from techtrack.core.clock import to_micros
from techtrack.integrations.domain.openaq import Rollup, clock_length, coverage
from techtrack.integrations.doors.openaq.asking import Page
from techtrack.integrations.doors.openaq.stations import Station
from techtrack.telemetry import queries as telemetry
from techtrack.telemetry.domain.gaps import Fill
from techtrack.telemetry.domain.quality import Mark, Quality, in_force, qualities
from techtrack.telemetry.domain.reading import FOREVER, Floats, Ints
from techtrack.telemetry.domain.windows import edges
from techtrack.telemetry.queries import Question, SeriesBuckets
from techtrack.telemetry.store.base import Span

STATISTICS = ("avg", "min", "max", "stddev")
QUANTILES = {"q02": "p2", "q25": "p25", "median": "p50", "q75": "p75", "q98": "p98"}
# Beyond so many values on a page their quantiles, which need every one of them, are left out.
MOST_VALUES = 500_000


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of measurements, and how many there are; a text such as ``>100`` where nobody has counted them all."""

    results: list[dict[str, Any]]
    found: int | str


@dataclass(frozen=True, slots=True)
class Series:
    """One series of a station: what OpenAQ calls a sensor."""

    station: Station
    code: str
    now: int

    def within(self, span: Span) -> Span | None:
        """Return ``span`` as far as the series may have readings, None where it has none."""
        bounds = telemetry.extent([self.station.asset.pk])
        if bounds is None:
            return None
        first, last = map(to_micros, bounds)
        return max(span[0], first), min(span[1], last + 1)

    def raw(self, span: Span, page: Page) -> Listed:
        """Return values as they came, each with whether anybody or anything doubts it."""
        within, rows, seen = self.within(span), list[tuple[int, float, bool]](), 0
        for time, value, doubted in self._values(within) if within else ():
            if seen >= page.end:
                return Listed([self._value(*row) for row in rows], f">{page.end}")
            if seen >= page.start:
                rows.append((time, value, doubted))
            seen += 1
        return Listed([self._value(*row) for row in rows], seen)

    def rolled(self, span: Span, page: Page, rollup: Rollup) -> Listed:
        """Return the means of whole stretches with what describes them; one without a usable value is left out."""
        bounds = self._bounds(span, rollup)
        if len(bounds) <= 1:
            return Listed([], 0)
        found = self._history((int(bounds[0]), int(bounds[-1])), rollup, STATISTICS)
        if found is None:
            return Listed([], 0)
        some = slice(page.start, page.end)
        starts, count = found.starts[some], found.count[some]
        ends = bounds[np.searchsorted(bounds, starts, "right")]
        columns = {name: column[some] for name, column in found.columns.items()}
        columns |= self._quantiles(starts, ends, int(count.sum()), rollup)
        doubted = self._doubted(starts, ends)
        results = [
            self._stretch(rollup, (int(starts[place]), int(ends[place])), int(count[place]), doubted=doubted[place])
            | _described({name: float(column[place]) for name, column in columns.items()})
            for place in range(len(starts))
        ]
        return Listed(results, len(found.starts))

    def summary(self) -> dict[str, Any] | None:
        """Say of all usable values how many there are, their least, greatest and mean."""
        within = self.within(FOREVER)
        if within is None:
            return None
        counts = telemetry.counts([self.station.asset.pk], codes=[self.code], span=within)
        observed = counts.get((self.station.asset.pk, self.code), 0)
        length, expected = within[1] - 1 - within[0], self.station.subject.expected
        ends = {"datetimeFrom": self.station.moment(within[0]), "datetimeTo": self.station.moment(within[1] - 1)}
        return coverage(observed=observed, length=max(length, 1), expected=expected, told=ends)

    def _values(self, span: Span) -> Iterator[tuple[int, float, bool]]:
        if span[0] >= span[1]:
            return
        for piece in telemetry.walk(self.station.asset.pk, span, codes=[self.code]):
            column = piece.columns.get(self.code)
            if column is None:
                continue
            there = ~np.isnan(column)
            doubted = (piece.quality(self.code) > 0)[there].tolist()
            yield from zip(piece.times[there].tolist(), column[there].tolist(), doubted, strict=True)

    def _value(self, time: int, value: float, doubted: bool) -> dict[str, Any]:  # noqa: FBT001 - a column of a row
        length = self.station.subject.expected or 0
        told = self._period("raw", clock_length(length), (time - length, time))
        ends = {"datetimeFrom": told["datetimeFrom"], "datetimeTo": told["datetimeTo"]}
        return {
            "value": value,
            "flagInfo": {"hasFlags": doubted},
            "parameter": self.station.measures[self.code].as_json(),
            "period": told,
            "coordinates": None,
            "summary": None,
            "coverage": coverage(observed=1, length=length, expected=length or None, told=ends),
        }

    def _stretch(self, rollup: Rollup, span: Span, count: int, *, doubted: bool) -> dict[str, Any]:
        told = self._period(rollup.label, rollup.length, span)
        ends = {"datetimeFrom": told["datetimeFrom"], "datetimeTo": told["datetimeTo"]}
        expected = self.station.subject.expected
        return {
            "value": None,
            "flagInfo": {"hasFlags": doubted},
            "parameter": self.station.measures[self.code].as_json(),
            "period": told,
            "coordinates": None,
            "coverage": coverage(observed=count, length=span[1] - span[0], expected=expected, told=ends),
        }

    def _period(self, label: str, length: str, span: Span) -> dict[str, Any]:
        start, end = (self.station.moment(time) for time in span)
        return {"label": label, "interval": length, "datetimeFrom": start, "datetimeTo": end}

    def _bounds(self, span: Span, rollup: Rollup) -> Ints:
        """Return the edges of the stretches that lie wholly in ``span``, as far as there are readings."""
        within = self.within(FOREVER)
        if within is None:
            return np.empty(0, np.int64)
        bounds = edges(rollup.interval, start=within[0], end=within[1], zone=self.station.zone)
        return bounds[(bounds >= span[0]) & (bounds <= span[1])]

    def _history(self, span: Span, rollup: Rollup, names: tuple[str, ...]) -> SeriesBuckets | None:
        question = Question(
            subjects=[self.station.subject],
            codes=[self.code],
            span=span,
            interval=rollup.interval,
            zone=self.station.zone,
            statistics=names,
            fill=Fill.NONE,
            now=self.now,
        )
        return next(iter(telemetry.history(question)), None)

    def _quantiles(self, starts: Ints, ends: Ints, values: int, rollup: Rollup) -> dict[str, Floats]:
        nothing = {name: np.full(len(starts), np.nan) for name in QUANTILES}
        if not len(starts) or values > MOST_VALUES:
            return nothing
        found = self._history((int(starts[0]), int(ends[-1])), rollup, tuple(QUANTILES.values()))
        if found is None or len(found.starts) != len(starts):
            return nothing
        return {name: found.columns[of] for name, of in QUANTILES.items()}

    def _doubted(self, starts: Ints, ends: Ints) -> list[bool]:
        """Tell of each stretch whether a part of it is doubted, by the marks alone: of values a year has millions."""
        if not len(starts):
            return []
        span = (int(starts[0]), int(ends[-1]))
        said = telemetry.marks(asset_id=self.station.asset.pk, code=self.code, start=span[0], end=span[1])
        rows = said.order_by("position").values_list("start_at", "end_at", "quality", "flag")
        marks = in_force(
            Mark(self.station.asset.pk, None, start, end, Quality(quality), flag) for start, end, quality, flag in rows
        )
        bounds = [bound for mark in marks for bound in (mark.start, mark.end)]
        # From one of these moments to the next all values are worth the same.
        times = np.unique(np.concatenate([starts, np.array(bounds, np.int64)]))
        doubted = times[qualities(times, self.code, marks) > 0]
        found: list[bool] = (np.searchsorted(doubted, ends) > np.searchsorted(doubted, starts)).tolist()
        return found


def _described(numbers: dict[str, float]) -> dict[str, Any]:
    told = {name: None if np.isnan(value) else value for name, value in numbers.items()}
    summary = {name: told[name] for name in ("min", *QUANTILES, "max", "avg")} | {"sd": told["stddev"]}
    return {"value": told["avg"], "summary": summary}
