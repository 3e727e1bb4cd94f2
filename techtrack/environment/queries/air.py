"""The air of sensors hour by hour: means of what they sent, in the declared unit and state, corrected where chosen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain

import numpy as np

from techtrack.airquality.hours import Floats, Hours, Ints
from techtrack.airquality.units import Reference
from techtrack.core.clock import MICROSECOND, from_micros, to_micros
from techtrack.environment.domain.correcting import Air, corrected, sources_of
from techtrack.environment.domain.pollutants import GASES, PACED_BY, complete, pace
from techtrack.environment.domain.settings import Declared
from techtrack.environment.models import AirSettings, declared_of
from techtrack.telemetry import queries as telemetry
from techtrack.telemetry.queries import Subject
from techtrack.telemetry.store.base import Series

HOUR = 3_600_000_000
QUARTERS = 4
# What is not in rollups is read in such pieces: two days of seconds are 30 MB.
PIECE = 48 * HOUR
HUMIDITY = "humidity"
# What each asset has ever measured.
Measured = Mapping[int, Sequence[str]]

_NOTHING = Declared()


@dataclass(frozen=True, slots=True)
class Stretch:
    """Whole hours, the first of which ends at ``first``; with ``quarters`` of them where a standard looks at those."""

    first: datetime
    length: int
    quarters: tuple[str, ...] = ()

    @classmethod
    def until(cls, at: datetime, *, length: int, quarters: tuple[str, ...] = ()) -> Stretch:
        """Return the hours that end with the one that ends at ``at``."""
        return cls(at - timedelta(hours=length - 1), length, quarters)

    def edges(self, parts: int = 1) -> Ints:
        """Return the bounds of the hours, or of so many ``parts`` of each (µs)."""
        width = HOUR // parts
        return to_micros(self.first) - HOUR + width * np.arange(self.length * parts + 1, dtype=np.int64)


def air_of(
    subjects: Sequence[Subject], *, codes: Sequence[str], stretch: Stretch, measured: Measured | None = None
) -> dict[int, Air]:
    """Return the air of sensors by id: of ``codes``, those that each has ever ``measured`` (asked for where not given).

    An hour with less than three quarters of the values that the sensor's interval promises is not known; where it
    declares none, what it sent in the day before tells it.
    """
    ids = [subject.id for subject in subjects]
    declared, measured = declared_for(ids), measured_by(ids, codes) if measured is None else measured
    wanted = _wanted(codes, declared.values())
    found = _means(ids, wanted, stretch.edges()) if measured else {}
    paces = paces_of(subjects, wanted, stretch) if measured else {}
    beside = {asset: sources_of(one.corrections) for asset, one in declared.items()}
    given = {subject.id: [*measured.get(subject.id, ()), *beside.get(subject.id, ())] for subject in subjects}
    units = telemetry.units((subject, code) for subject in subjects for code in given[subject.id])
    air = {}
    for subject in subjects:
        own = declared.get(subject.id, _NOTHING)
        series = {code: (subject.id, code) for code in given[subject.id]}
        hours = {code: _hours(stretch, found.get(one), paces.get(one), units[one]) for code, one in series.items()}
        hours = {code: replace(one, reference=own.reference) if code in GASES else one for code, one in hours.items()}
        damp = (subject.id, HUMIDITY)
        humidity = _hours(stretch, found.get(damp), paces.get(damp), "%")
        judged = {code: hours[code] for code in measured.get(subject.id, ())}
        air[subject.id] = corrected(judged, own, beside=hours, humidity=humidity)
    return _with_quarters(air, subjects, stretch, paces)


def _wanted(codes: Sequence[str], declared: Iterable[Declared]) -> list[str]:
    """Name what must be read: what is asked for, what corrections look at, and the humidity if one is applied."""
    chosen = [one.corrections for one in declared if one.corrections]
    beside = chain.from_iterable(map(sources_of, chosen))
    return [*dict.fromkeys([*codes, *beside, *([HUMIDITY] if chosen else [])])]


def with_correction(subject: Subject, *, code: str, correction: str, first: datetime, length: int) -> Air:
    """Return hours of a parameter of dust as they were sent, and corrected in a way that may be another than usual."""
    stretch, chosen = Stretch(first, length), Declared(corrections={code: correction})
    codes = (code, *sources_of(chosen.corrections))
    found = _means([subject.id], (*codes, HUMIDITY), stretch.edges()) if length else {}
    paces = paces_of([subject], (*codes, HUMIDITY), stretch) if length else {}
    units = telemetry.units((subject, one) for one in codes) | {(subject.id, HUMIDITY): "%"}
    hours = {
        one: _hours(stretch, found.get(series), paces.get(series), units[series])
        for one in (*codes, HUMIDITY)
        for series in [(subject.id, one)]
    }
    return corrected({code: hours[code]}, chosen, beside=hours, humidity=hours[HUMIDITY])


def complete_means(subjects: Sequence[Subject], *, code: str, stretch: Stretch) -> dict[int, Floats]:
    """Return the hourly means of one parameter as they were sent, by sensor; of those that have any."""
    found = telemetry.means([subject.id for subject in subjects], codes=(code,), edges=stretch.edges())
    paces = paces_of(subjects, (code,), stretch)
    return {series[0]: _hours(stretch, one, paces.get(series), "").values for series, one in found.items()}


def declared_for(ids: Iterable[int]) -> dict[int, Declared]:
    """Return what is declared of sensors; most have nothing."""
    rows = AirSettings.objects.filter(sensor__in=list(ids)).order_by()
    columns = rows.values_list("sensor_id", "reference_temperature", "reference_pressure", "corrections")
    return {sensor: declared_of(temperature, pressure, chosen) for sensor, temperature, pressure, chosen in columns}


def references_of(assets: Collection[int] | None = None) -> list[tuple[int, Reference]]:
    """Return the state of the air that masses of gas of sensors (None: of all) are meant at, where it is declared."""
    rows = AirSettings.objects.all() if assets is None else AirSettings.objects.filter(sensor__in=assets)
    columns = rows.order_by().values_list("sensor_id", "reference_temperature", "reference_pressure")
    found = ((sensor, declared_of(temperature, pressure, {})) for sensor, temperature, pressure in columns)
    return [(sensor, declared.reference) for sensor, declared in found if declared.reference is not None]


def measured_by(ids: Sequence[int], codes: Sequence[str]) -> Measured:
    """Name what each sensor has ever measured, in the order of ``codes``."""
    newest = telemetry.latest(ids)
    return {asset: [code for code in codes if code in values] for asset, values in newest.items()}


def of_air(subjects: Sequence[Subject], codes: Sequence[str]) -> list[Subject]:
    """Leave out the sensors that have measured something, and never one of ``codes``."""
    measured = measured_by([subject.id for subject in subjects], codes)
    return [subject for subject in subjects if measured.get(subject.id, codes)]


def _means(ids: Sequence[int], codes: Sequence[str], edges: Ints) -> dict[Series, tuple[Ints, Floats]]:
    """Return what ``telemetry.means`` does, in memory that does not grow with the span.

    Full hours of UTC come from rollups; others, as in India, and quarters of hours are read value by value.
    """
    if not (edges % HOUR).any():
        return telemetry.means(ids, codes=codes, edges=edges)
    step = PIECE // int(edges[1] - edges[0])
    found: dict[Series, tuple[Ints, Floats]] = {}
    for begin in range(0, len(edges) - 1, step):
        piece = slice(begin, min(begin + step, len(edges) - 1))
        part = telemetry.means(ids, codes=codes, edges=edges[begin : piece.stop + 1])
        for series, (counts, values) in part.items():
            whole = found.setdefault(series, _nothing(len(edges) - 1))
            whole[0][piece], whole[1][piece] = counts, values
    return found


def _nothing(length: int) -> tuple[Ints, Floats]:
    return np.zeros(length, np.int64), np.full(length, np.nan)


def paces_of(subjects: Sequence[Subject], codes: Sequence[str], stretch: Stretch) -> dict[Series, Ints]:
    """Return how often (µs) each series has values in each hour; of those that nothing tells of there is none.

    What is not declared is told by full hours of UTC, those that ended by then: these are in rollups in every zone.
    """
    told = {
        (subject.id, code): np.full(stretch.length, subject.expected, np.int64)
        for subject in subjects
        if subject.expected
        for code in codes
    }
    undeclared = [subject.id for subject in subjects if not subject.expected]
    if undeclared:
        over = stretch.edges()[1:] // HOUR
        first = int(over[0]) - 1 - PACED_BY
        edges = HOUR * np.arange(first, int(over[-1]) + 1, dtype=np.int64)
        found = telemetry.spacings(undeclared, codes=codes, edges=edges)
        told |= {series: pace(one)[over - 1 - first] for series, one in found.items()}
    return told


def _hours(stretch: Stretch, found: tuple[Ints, Floats] | None, expected: Ints | None, unit: str) -> Hours:
    counts, means = found or _nothing(stretch.length)
    expected = np.zeros(stretch.length, np.int64) if expected is None else expected
    unknown = int(((counts > 0) & (expected == 0)).sum())
    lacks = f"{unknown} hours are of a sensor that declares no interval, and sent too little to tell it"
    values = complete(counts, means, expected=expected, width=HOUR)
    return Hours(stretch.first, values, unit, lacks=lacks if unknown else "")


def _with_quarters(
    air: dict[int, Air], subjects: Sequence[Subject], stretch: Stretch, paces: Mapping[Series, Ints]
) -> dict[int, Air]:
    """Add the means of quarters of an hour where a standard looks at those."""
    some = [subject for subject in subjects if set(stretch.quarters) & air[subject.id].hours.keys()]
    if not some:
        return air
    ids = [subject.id for subject in some]
    found = _means(ids, stretch.quarters, stretch.edges(QUARTERS))
    for subject in some:
        hours = air[subject.id].hours
        for code in set(stretch.quarters) & hours.keys():
            if (subject.id, code) in found:
                counts, means = found[subject.id, code]
                expected = np.repeat(paces.get((subject.id, code), np.zeros(stretch.length, np.int64)), QUARTERS)
                quarters = complete(counts, means, expected=expected, width=HOUR // QUARTERS)
                hours[code] = replace(hours[code], quarters=quarters.reshape(-1, QUARTERS))
    return air


def last_full_hour(at: datetime, *, offset: timedelta) -> datetime:
    """Return when the last hour ended that was full at ``at``, by a clock ``offset`` ahead of UTC."""
    shift = offset // MICROSECOND % HOUR
    return from_micros((to_micros(at) + shift) // HOUR * HOUR - shift)
