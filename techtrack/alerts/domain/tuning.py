"""Finds the deadband and the delay that make a restless rule calm, at the least added delay."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import floor, log10
from typing import NamedTuple

import numpy as np

from techtrack.alerts.domain.advice import NICE
from techtrack.alerts.domain.backtest import Past
from techtrack.alerts.domain.condition import Leaf
from techtrack.alerts.domain.features.base import SECOND, Floats, Ints
from techtrack.alerts.domain.rule import Watch
from techtrack.alerts.domain.trial import Incident, Outcome

HOUR = 3600 * SECOND
# The delays that a person would choose; series that are slow need long ones.
LADDER = (*NICE, *(hours * HOUR for hours in (2, 4, 8, 12, 24)))
# So much of the repeats must go, and so much longer may an alert then be active.
LEFT, LONGER = 0.1, 2.0
# What is bridged: half of the pauses, nine of ten, all.
QUANTILES = (0.5, 0.9, 1.0)
# At least a minute, or so many readings: sooner after a return nobody can have done anything.
LEAST_RESTLESS, READINGS_RESTLESS = 60 * SECOND, 6
_SEEN = 2000


class Settings(NamedTuple):
    """What of a rule is tuned: the deadband, and the delays (µs)."""

    deadband: float
    on_delay: int
    off_delay: int


@dataclass(frozen=True, slots=True)
class Advice:
    """Settings that would calm a rule, and the (raises, repeats) with the old ones and with these."""

    settings: Settings
    before: tuple[int, int]
    after: tuple[int, int]


def advise(
    base: Settings,
    outcome: Outcome,
    *,
    depths: Floats,
    incidents: Sequence[Incident],
    attempt: Callable[[Settings], Outcome | None],
) -> Advice | None:
    """Return the settings with the least added delay that take away nine of ten repeats; None if there are none.

    What is tried is computed from the series. A deadband bridges a pause if it is larger than its *depth*: how far
    the value went back behind the limit in it. An off-delay bridges a pause that is shorter, an on-delay keeps quiet
    about what is shorter. Of depths, pauses and lengths the median, the ninth decile and the largest are taken, rounded
    up to what a person would choose. First come deadbands alone, which delay nothing; then off-delays, which delay
    only the return; then on-delays; the shorter delay and the smaller deadband first. The first that is calm, still
    finds every incident that was found, raises anything at all, and is not active more than twice as long, is
    returned. ``attempt`` tries settings on the whole series (None: they make no sense).
    """
    if not outcome.repeats:
        return None
    known = {incident for incident, lead in outcome.leads(incidents).items() if lead is not None}
    for settings in _candidates(base, outcome, depths):
        tried = attempt(settings)
        if tried is None or tried.repeats > LEFT * outcome.repeats or not tried.raises:
            continue
        leads = tried.leads(incidents)
        if tried.active <= LONGER * outcome.active and all(leads[one] is not None for one in known):
            before, after = ((one.raises, one.repeats) for one in (outcome, tried))
            return Advice(settings, before, after)
    return None


def _candidates(base: Settings, outcome: Outcome, depths: Floats) -> Iterator[Settings]:
    short = outcome.pauses < outcome.restless
    near = np.append(short, False) | np.append(False, short)
    bands = [band for band in _quantiles(depths, rounded_up) if band > base.deadband]
    for band in bands:
        yield base._replace(deadband=band)
    for delay in _quantiles(outcome.pauses[short], _nice):
        for band in (base.deadband, *bands):
            yield base._replace(deadband=band, off_delay=base.off_delay + int(delay))
    for delay in _quantiles((outcome.ends - outcome.starts)[near], _nice):
        for band in (base.deadband, *bands):
            yield base._replace(deadband=band, on_delay=base.on_delay + int(delay))


def _quantiles(found: Floats | Ints, rounded: Callable[[float], float | None]) -> list[float]:
    if not len(found):
        return []
    several = {rounded(float(one)) for one in np.quantile(found, QUANTILES)}
    return sorted(one for one in several if one)


def rounded_up(number: float) -> float | None:
    """Return the next number of two digits above; None for nothing."""
    if not 0 < number < float("inf"):
        return None
    unit = 10.0 ** (floor(log10(number)) - 1)
    return round((floor(number / unit) + 1) * unit, 12)


def _nice(wanted: float) -> float | None:
    return next((delay for delay in LADDER if wanted < delay), None)


def restless(watch: Watch, past: Past) -> int:
    """Return how soon (µs) after a return a raise is a repeat: within a minute, or six values of what is watched."""
    steps = [LEAST_RESTLESS // READINGS_RESTLESS]
    for feature in watch.features:
        at = past.samples(feature).at
        places = np.linspace(0, max(len(at) - 2, 0), min(_SEEN, max(len(at) - 1, 0))).astype(np.intp)
        if len(places):
            steps.append(int(np.median(at[places + 1] - at[places])))
    return READINGS_RESTLESS * max(steps)


def depths(watch: Watch, past: Past, outcome: Outcome, units: Sequence[float]) -> Floats:
    """Return how far the value went back in each pause before a repeat, in units of the rule's deadband.

    ``units`` are what a deadband of 1 is for each leaf, 0 where it has none. Only clauses of one comparison have a
    depth.
    """
    found = []
    for place in np.flatnonzero(outcome.pauses < outcome.restless).tolist():
        index = _only_leaf(watch, outcome.episodes[place + 1].clause)
        if index is None or not units[index]:
            continue
        leaf = watch.leaves[index]
        samples = past.samples(watch.features[leaf.feature])
        ends = outcome.ends[place] - watch.off_delay, outcome.starts[place + 1] - watch.on_delay
        first, last = np.searchsorted(samples.at, ends)
        if first < last:
            found.append(float(_behind(leaf, samples.values[first:last]).max()) / units[index])
    return np.array([depth for depth in found if depth >= 0])


def _only_leaf(watch: Watch, clause: int) -> int | None:
    wanted = watch.clauses[clause].holds
    if len(wanted) != 1 or wanted[0].bit_count() != 1:
        return None
    return wanted[0].bit_length() - 1


def _behind(leaf: Leaf, values: Floats) -> Floats:
    low, high = leaf.comparator.low, leaf.comparator.high
    return (
        np.maximum(low - values, values - high) if leaf.comparator.inside else np.minimum(values - low, high - values)
    )
