"""The air of sensors hour by hour: means of what they sent, in the declared unit and state, corrected where chosen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np

from techtrack.airquality.correction import corrections
from techtrack.airquality.hours import Floats, Hours, Ints
from techtrack.airquality.units import MASS, SPELLINGS, Reference
from techtrack.core.clock import MICROSECOND, from_micros, to_micros
from techtrack.environment.domain.pollutants import GASES, complete
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


@dataclass(frozen=True, slots=True)
class Air:
    """What a sensor measured: ``hours`` as they are to be judged, ``raw`` those of them that were corrected."""

    hours: dict[str, Hours] = field(default_factory=dict)
    raw: dict[str, Hours] = field(default_factory=dict)


def air_of(
    subjects: Sequence[Subject], *, codes: Sequence[str], stretch: Stretch, measured: Measured | None = None
) -> dict[int, Air]:
    """Return the air of sensors by id: of ``codes``, those that each has ever ``measured`` (asked for where not given).

    An hour with less than three quarters of the values that the sensor's interval promises is not known.
    """
    ids = [subject.id for subject in subjects]
    declared, measured = declared_for(ids), measured_by(ids, codes) if measured is None else measured
    wanted = [*codes, HUMIDITY] if any(one.corrections for one in declared.values()) else codes
    found = _means(ids, wanted, stretch.edges()) if measured else {}
    units = telemetry.units((subject, code) for subject in subjects for code in measured.get(subject.id, ()))
    air = {}
    for subject in subjects:
        own = declared.get(subject.id, _NOTHING)
        hours = {
            code: _hours(stretch, found.get((subject.id, code)), subject, units[subject.id, code])
            for code in measured.get(subject.id, ())
        }
        hours = {code: replace(one, reference=own.reference) if code in GASES else one for code, one in hours.items()}
        humidity = _hours(stretch, found.get((subject.id, HUMIDITY)), subject, "%")
        air[subject.id] = corrected(hours, own, humidity)
    return _with_quarters(air, subjects, stretch)


def corrected(hours: Mapping[str, Hours], declared: Declared, humidity: Hours) -> Air:
    """Correct what is to be corrected, by the hour's humidity; the raw hours are kept beside."""
    done, raw = dict(hours), {}
    for code, name in declared.corrections.items():
        if code in hours:
            raw[code] = hours[code]
            done[code] = _corrected(hours[code], code, name, humidity)
    return Air(done, raw)


def _corrected(hours: Hours, code: str, name: str, humidity: Hours) -> Hours:
    """Correct hours, by corrections that speak of µg/m³; what has no unit of dust stays, for a standard to refuse."""
    unit = SPELLINGS.get(hours.unit, hours.unit)
    if unit not in MASS:
        return hours
    values = corrections.get(name).corrected(hours.values * MASS[unit], parameter=code, humidity=humidity.values)
    lost = int((np.isnan(values) & ~np.isnan(hours.values)).sum())
    lacks = f"{lost} hours lack the humidity for {name}" if lost else ""
    return replace(hours, values=values / MASS[unit], lacks=lacks)


def raw_and_corrected(
    subject: Subject, *, code: str, correction: str, first: datetime, length: int
) -> tuple[Hours, Hours]:
    """Return hours of a parameter of dust as they were sent, and corrected in a way that may be another than usual."""
    stretch = Stretch(first, length)
    found = _means([subject.id], (code, HUMIDITY), stretch.edges()) if length else {}
    unit = telemetry.units([(subject, code)])[subject.id, code]
    raw = _hours(stretch, found.get((subject.id, code)), subject, unit)
    humidity = _hours(stretch, found.get((subject.id, HUMIDITY)), subject, "%")
    return raw, corrected({code: raw}, Declared(corrections={code: correction}), humidity).hours[code]


def complete_means(subjects: Sequence[Subject], *, code: str, stretch: Stretch) -> dict[int, Floats]:
    """Return the hourly means of one parameter as they were sent, by sensor; of those that have any."""
    found = telemetry.means([subject.id for subject in subjects], codes=(code,), edges=stretch.edges())
    return {
        subject.id: _hours(stretch, found[subject.id, code], subject, "").values
        for subject in subjects
        if (subject.id, code) in found
    }


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


def _hours(stretch: Stretch, found: tuple[Ints, np.ndarray] | None, subject: Subject, unit: str) -> Hours:
    counts, means = found or _nothing(stretch.length)
    return Hours(stretch.first, complete(counts, means, expected=subject.expected, width=HOUR), unit)


def _with_quarters(air: dict[int, Air], subjects: Sequence[Subject], stretch: Stretch) -> dict[int, Air]:
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
                quarters = complete(counts, means, expected=subject.expected, width=HOUR // QUARTERS)
                hours[code] = replace(hours[code], quarters=quarters.reshape(-1, QUARTERS))
    return air


def last_full_hour(at: datetime, *, offset: timedelta) -> datetime:
    """Return when the last hour ended that was full at ``at``, by a clock ``offset`` ahead of UTC."""
    shift = offset // MICROSECOND % HOUR
    return from_micros((to_micros(at) + shift) // HOUR * HOUR - shift)
