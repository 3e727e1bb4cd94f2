"""Which sensors measure air, and by which tests what they send is to be looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from techtrack.assets.models import Asset, Kind
from techtrack.environment.domain.checks import USUAL, plan_of
from techtrack.environment.domain.correcting import sources_of
from techtrack.environment.domain.pollutants import POLLUTANTS
from techtrack.environment.domain.testing import Plans
from techtrack.environment.models import AirSettings
from techtrack.telemetry import queries as telemetry
from techtrack.telemetry.queries import Subject

# SQLite takes 32,766 variables in one statement, unless its builder said otherwise.
AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Own:
    """What is declared of a sensor that bears on its tests."""

    checks: dict[str, Any]
    corrected: frozenset[str]


def tested_codes() -> frozenset[str]:
    """Return the parameters that the tests of any sensor look at."""
    own = AirSettings.objects.order_by().values_list("checks", flat=True)
    codes = {*USUAL, *(code for checks in own for code in checks)}
    return frozenset({*codes, *(f"{code}_{channel}" for code in codes for channel in "ab")})


def plans_of(asset_ids: Iterable[int], *, sending: Sequence[str]) -> dict[int, Plans]:
    """Return the tests of each asset that measures air, by parameter; of all others none.

    An asset measures air if it is a sensor and has ever sent a pollutant, or ``sending`` has one, or if somebody has
    set tests for it.
    """
    found: dict[int, Plans] = {}
    for ids in parts(asset_ids):
        found |= _plans_of(ids, sending)
    return found


def parts(ids: Iterable[int]) -> Iterator[list[int]]:
    """Cut ids into lists that one statement takes."""
    listed = list(ids)
    return (listed[begin : begin + AT_ONCE] for begin in range(0, len(listed), AT_ONCE))


def _plans_of(ids: list[int], sending: Sequence[str]) -> dict[int, Plans]:
    rows = Asset.objects.filter(pk__in=ids, kind=Kind.SENSOR)
    subjects = telemetry.subjects(rows)
    declared = _declared([subject.id for subject in subjects])
    newest = telemetry.latest(subject.id for subject in subjects)
    measuring = [
        subject
        for subject in subjects
        if POLLUTANTS & {*newest.get(subject.id, ()), *sending} or subject.id in declared
    ]
    units = telemetry.units((subject, code) for subject in measuring for code in _codes(declared.get(subject.id)))
    return {subject.id: _plans(subject, declared.get(subject.id), units) for subject in measuring}


def _declared(ids: list[int]) -> dict[int, Own]:
    rows = AirSettings.objects.filter(sensor__in=ids).order_by().values_list("sensor_id", "checks", "corrections")
    return {
        sensor: Own(checks, frozenset({*corrections, *sources_of(corrections)})) for sensor, checks, corrections in rows
    }


def _plans(subject: Subject, own: Own | None, units: Mapping[tuple[int, str], str]) -> Plans:
    if own is None:
        return _usual(tuple(units[subject.id, code] for code in USUAL))
    plans = {
        code: plan_of(code, unit=units[subject.id, code], own=own.checks.get(code), corrected=code in own.corrected)
        for code in _codes(own)
    }
    return {code: plan for code, plan in plans.items() if plan is not None}


@lru_cache(maxsize=256)
def _usual(units: tuple[str, ...]) -> Plans:
    """Return the usual tests in these units: the same object for all assets that have them, who are many."""
    plans = {code: plan_of(code, unit=u, own=None, corrected=False) for code, u in zip(USUAL, units, strict=True)}
    return {code: plan for code, plan in plans.items() if plan is not None}


def _codes(own: Own | None) -> list[str]:
    return list(dict.fromkeys([*USUAL, *(own.checks if own else ())]))
