"""Corrected dust beside the raw: of what it is computed, and what an hour lacks for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from techtrack.airquality.correction import Correction, corrections
from techtrack.airquality.hours import Hours
from techtrack.airquality.units import MASS, SPELLINGS
from techtrack.environment.domain.settings import Declared


@dataclass(frozen=True, slots=True)
class Applied:
    """A correction that was applied, and the parameters of which the corrected hours were computed."""

    name: str
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Air:
    """What a sensor measured: ``hours`` as they are to be judged, ``raw`` those that were corrected, and how."""

    hours: dict[str, Hours] = field(default_factory=dict)
    raw: dict[str, Hours] = field(default_factory=dict)
    applied: dict[str, Applied] = field(default_factory=dict)


def sources_of(chosen: Mapping[str, str]) -> tuple[str, ...]:
    """Name what chosen corrections look at beside the parameters that they correct."""
    names = (source for code, name in chosen.items() for source in _of(name).sources(code) if source != code)
    return tuple(dict.fromkeys(names))


def corrected(hours: Mapping[str, Hours], declared: Declared, *, beside: Mapping[str, Hours], humidity: Hours) -> Air:
    """Correct what is to be corrected, by the hour's humidity; the raw hours are kept beside.

    ``beside`` are what the sensor sends of the sources of its corrections.
    """
    air = Air(dict(hours))
    for code, name in declared.corrections.items():
        if code in hours:
            air.raw[code] = hours[code]
            air.hours[code], air.applied[code] = _corrected({**beside, **hours}, code, name, humidity)
    return air


def _corrected(given: Mapping[str, Hours], code: str, name: str, humidity: Hours) -> tuple[Hours, Applied]:
    """Correct hours, by corrections that speak of µg/m³; what has no unit of dust stays, for a standard to refuse."""
    raw, correction = given[code], _of(name)
    if _mass(raw) is None:
        return raw, Applied(name, ())
    dust = np.full(len(raw.values), np.nan)
    taken: list[str] = []
    for source, hours, factor in _in_mass(correction.sources(code), given):
        # An hour that somebody took out of the parameter stays out, whatever else the sensor sent in it.
        fills = np.isnan(dust) & ~np.isnan(hours.values) & ~np.isnan(raw.values)
        if fills.any():
            taken.append(source)
            dust[fills] = hours.values[fills] * factor
    values = correction.corrected(dust, parameter=code, humidity=humidity.values)
    lost = int((np.isnan(values) & ~np.isnan(raw.values)).sum())
    lacks = "; ".join(filter(None, (raw.lacks, f"{lost} hours lack the humidity for {name}" if lost else "")))
    return replace(raw, values=values / (_mass(raw) or 1.0), lacks=lacks), Applied(name, tuple(taken))


def _in_mass(sources: Iterable[str], given: Mapping[str, Hours]) -> Iterable[tuple[str, Hours, float]]:
    """Return the sources that are given in a unit of dust, and what makes µg/m³ of them."""
    found = ((source, given[source], _mass(given[source])) for source in sources if source in given)
    return [(source, hours, factor) for source, hours, factor in found if factor is not None]


def _mass(hours: Hours) -> float | None:
    """Return how many µg/m³ one of the unit is, None of what is no mass per volume."""
    return MASS.get(SPELLINGS.get(hours.unit, hours.unit))


def _of(name: str) -> Correction:
    found: Correction = corrections.get(name)
    return found
