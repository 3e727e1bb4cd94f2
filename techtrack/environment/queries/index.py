"""The index of the air: of sensors at a moment, of a site by its worst sensor, and of a sensor hour by hour."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

import numpy as np

from techtrack.airquality.hours import HOUR, Hours, Ints
from techtrack.airquality.indexing import Indexed
from techtrack.airquality.periods import QuarterHour
from techtrack.airquality.standard import History, Standard, Verdict, chosen_method
from techtrack.airquality.tables import NONE
from techtrack.core.errors import Invalid
from techtrack.environment.domain.correcting import Applied
from techtrack.environment.queries.air import Stretch, air_of, measured_by
from techtrack.telemetry.queries import Subject

# How far back a moment's index looks. Only zero ozone is told by a fortnight: the NowCast believes in it, or does not.
LOOKED_AT: Final = 24
FORTNIGHT: Final = 336


@dataclass(frozen=True, slots=True)
class Judged:
    """What a standard says of a sensor; without a verdict, ``missing`` says what is not declared.

    ``corrected`` tells how what it judged was corrected, by parameter.
    """

    subject: Subject
    verdict: Verdict | None
    missing: Invalid | None = None
    corrected: Mapping[str, Applied] = field(default_factory=dict)


def index_now(subjects: Sequence[Subject], *, standard: Standard, method: str | None, at: datetime) -> list[Judged]:
    """Judge the air at each sensor by what it measured in the hours before ``at``.

    Raises:
        Invalid: the standard has no such method.
    """
    chosen_method(method, standard.methods)
    measured = measured_by([subject.id for subject in subjects], standard.parameters)
    length = _looked_at(standard, {code for codes in measured.values() for code in codes}, method, at)
    stretch = Stretch.until(at, length=length, quarters=quarters_of(standard))
    found_air = air_of(subjects, codes=standard.parameters, stretch=stretch, measured=measured)
    air = {asset: one.hours for asset, one in found_air.items()}
    zero = [subject for subject in subjects if _is_zero(air[subject.id].get("o3"))]
    if zero:
        fortnight = air_of(zero, codes=("o3",), stretch=Stretch.until(at, length=FORTNIGHT))
        air |= {asset: air[asset] | one.hours for asset, one in fortnight.items()}
    found = []
    for subject in subjects:
        try:
            verdict = standard.judge(air[subject.id], at=at, method=method)
        except Invalid as error:
            found.append(Judged(subject, None, error))
        else:
            found.append(Judged(subject, verdict, corrected=found_air[subject.id].applied))
    return found


def worst(judged: Sequence[Judged]) -> Judged | None:
    """Return the sensor with the highest index, the first of several; None where none has one."""
    known = [one for one in judged if one.verdict is not None and one.verdict.index is not None]
    return max(known, key=_index, default=None)


def index_history(subject: Subject, *, standard: Standard, method: str | None, first: datetime, length: int) -> History:
    """Judge ``length`` hours, the first of which ends at ``first``.

    Raises:
        Invalid: the standard has no such method, or a unit or reference is missing that it needs.
    """
    chosen_method(method, standard.methods)
    # The first of them look back.
    stretch = Stretch(first - FORTNIGHT * HOUR, length + FORTNIGHT, quarters_of(standard))
    air = air_of([subject], codes=standard.parameters, stretch=stretch)[subject.id]
    found = standard.history(air.hours, method=method)
    return _cut(found, first, length)


def quarters_of(standard: Standard) -> tuple[str, ...]:
    """Name the parameters of which the standard looks at quarters of an hour."""
    if not isinstance(standard, Indexed):
        return ()
    scales = [scale for edition in standard.editions for some in edition.scales.values() for scale in some]
    return tuple({scale.parameter: None for scale in scales if isinstance(scale.period, QuarterHour)})


def _looked_at(standard: Standard, codes: Collection[str], method: str | None, at: datetime) -> int:
    """Return how many hours must be read of these parameters: those of two dozen sensors are read value by value."""
    if not isinstance(standard, Indexed):
        return LOOKED_AT
    scales = standard.edition(at).scales[chosen_method(method, standard.methods)]
    longest = max((scale.period.hours for scale in scales if scale.parameter in codes), default=1)
    return min(longest, LOOKED_AT)


def _is_zero(hours: Hours | None) -> bool:
    """Tell whether a sensor measured something, and nothing but zero."""
    return hours is not None and bool(np.nanmax(hours.values, initial=-1.0) == 0.0)


def _index(judged: Judged) -> int:
    return -1 if judged.verdict is None or judged.verdict.index is None else judged.verdict.index


def _cut(found: History, first: datetime, length: int) -> History:
    """Leave out the hours that were only looked back at; of a sensor that measured nothing, none has an index."""
    if not len(found.index):
        nothing = np.full(length, NONE, np.int64)
        return replace(found, first=first, index=nothing, dominant=nothing, pollutants={})
    begin = (first - found.first) // HOUR

    def cut(column: Ints) -> Ints:
        return column[begin : begin + length]

    pollutants = {code: cut(column) for code, column in found.pollutants.items()}
    return replace(found, first=first, index=cut(found.index), dominant=cut(found.dominant), pollutants=pollutants)
