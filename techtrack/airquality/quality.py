"""Automatic quality tests: each tells which values are doubtful, by a code; none changes or deletes a value.

Whole stretches are tested as arrays, times in whole microseconds (ascending); arriving values by ``arriving.py``.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from techtrack.airquality.hours import Flags, Floats, Ints

SECOND = 1_000_000
HOUR = 3_600 * SECOND
# What loggers write where there is no value; 65535 is what 16 bits hold when a cable is out.
SENTINELS = frozenset({-99.0, -99.99, -999.0, -999.9, -999.99, -9999.0, -9999.9, -9999.99, 65535.0})
# Of comparing with neighbours: below a mean of LOW, µg/m³, an absolute distance, above it standard deviations.
NEIGHBOURS_LOW, NEIGHBOURS_APART, NEIGHBOURS_DEVIATIONS = 50.0, 30.0, 2.0


class Flag(StrEnum):
    """Why a value is doubtful."""

    SENTINEL = "sentinel"
    RANGE = "range"
    STUCK = "stuck"
    SPIKE = "spike"
    RATE = "rate"
    CHANNELS = "channels"
    HUMIDITY = "humidity"
    NEIGHBOURS = "neighbours"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """The limits of the tests of one series; None leaves a test out.

    ``stuck`` is after how long (µs) the same value is no measurement any more; one up to ``resting`` may stay the same:
    clean air rests at what an analyser can just detect. ``spike`` is how far a single value may stand out from both
    neighbours, ``rate`` how much a value may change in an hour.
    """

    minimum: float | None = None
    maximum: float | None = None
    sentinels: Collection[float] = field(default=SENTINELS)
    stuck: int | None = 24 * HOUR
    resting: float | None = None
    spike: float | None = None
    rate: float | None = None

    def sentinel(self, value: float) -> bool:
        """Tell whether a value stands for no value."""
        return value in self.sentinels

    def outside(self, value: float) -> bool:
        """Tell whether a value is beyond what the sensor can measure."""
        below = self.minimum is not None and value < self.minimum
        return below or (self.maximum is not None and value > self.maximum)

    def rests(self, value: float) -> bool:
        """Tell whether a value may stay the same for as long as it likes."""
        return self.resting is not None and value <= self.resting

    def jumps(self, before: float, value: float, micros: int) -> bool:
        """Tell whether a value changed faster than it may."""
        return self.rate is not None and abs(value - before) * HOUR > self.rate * micros

    def stands_out(self, before: float, value: float, after: float) -> bool:
        """Tell whether a value stands out from both its neighbours, to the same side."""
        if self.spike is None:
            return False
        return min(value - before, value - after) > self.spike or max(value - before, value - after) < -self.spike


def flagged(times: Ints, values: Floats, checks: Checks) -> dict[Flag, Flags]:
    """Return which values each test finds doubtful.

    A sentinel or a value out of range is no neighbour: the tests of change look past it.
    """
    sentinel = np.isin(values, list(checks.sentinels))
    low = -np.inf if checks.minimum is None else checks.minimum
    high = np.inf if checks.maximum is None else checks.maximum
    outside = ~sentinel & ((values < low) | (values > high))
    usable = np.flatnonzero(~(sentinel | outside | np.isnan(values)))
    found = {Flag.SENTINEL: sentinel, Flag.RANGE: outside}
    for flag, test in ((Flag.STUCK, stuck), (Flag.SPIKE, spikes), (Flag.RATE, rates)):
        marked = np.zeros(len(values), bool)
        marked[usable] = test(times[usable], values[usable], checks)
        found[flag] = marked
    return found


def stuck(times: Ints, values: Floats, checks: Checks) -> Flags:
    """Tell which values belong to a run of equal ones that lasts as long as ``checks.stuck`` or longer."""
    if checks.stuck is None or not len(values):
        return np.zeros(len(values), bool)
    run = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.diff(values) != 0)])
    starts = np.searchsorted(run, np.arange(run[-1] + 1))
    ends = np.append(starts[1:], len(values)) - 1
    lasting = times[ends] - times[starts] >= checks.stuck
    if checks.resting is not None:
        lasting &= values[starts] > checks.resting
    found: Flags = lasting[run]
    return found


def spikes(times: Ints, values: Floats, checks: Checks) -> Flags:
    """Tell which values stand out from both neighbours, to the same side, by more than ``checks.spike``."""
    found = np.zeros(len(values), bool)
    if checks.spike is None or len(values) < 3:  # noqa: PLR2004 - it and two neighbours
        return found
    before, after = values[1:-1] - values[:-2], values[1:-1] - values[2:]
    found[1:-1] = (np.minimum(before, after) > checks.spike) | (np.maximum(before, after) < -checks.spike)
    return found


def rates(times: Ints, values: Floats, checks: Checks) -> Flags:
    """Tell which values changed by more than ``checks.rate`` an hour since the one before."""
    found = np.zeros(len(values), bool)
    if checks.rate is not None:
        found[1:] = np.abs(np.diff(values)) * HOUR > checks.rate * np.diff(times)
    return found


def disagreeing(one: Floats, other: Floats, *, difference: float = 5.0, share: float = 0.61) -> Flags:
    """Tell where two channels of one sensor differ by more than ``difference`` and ``share`` of their mean.

    PurpleAir's PM2.5: 5 µg/m³ and 61 %, two standard deviations (Barkjohn et al., 2021). Where a channel is not known
    there is nothing to compare.
    """
    apart = np.abs(one - other)
    return (apart > difference) & (apart > share * np.abs(one + other) / 2)


def moist(humidity: Floats, *, limit: float = 95.0) -> Flags:
    """Tell where the air is too moist for an optical sensor: above 95 % unless said, 70 % for an SDS011."""
    return humidity > limit


def unlike_neighbours(values: Floats, neighbours: Floats, *, least: int = 3) -> Flags:
    """Tell which values are unlike those that ``neighbours`` (a row for each value) have about the same time.

    Neighbours lie within 10 km and two hours; ``least`` of them must be known. Where their mean is below 50, more than
    30 from it is too far, otherwise more than two standard deviations are too. Indoor and plume sensors fail rightly.
    """
    known = ~np.isnan(neighbours)
    count = known.sum(axis=1)
    some = np.maximum(count, 1)
    mean = np.where(known, neighbours, 0.0).sum(axis=1) / some
    spread = np.where(known, neighbours - mean[:, None], 0.0)
    deviation = np.sqrt((spread**2).sum(axis=1) / np.maximum(some - 1, 1))
    # Where all agree closely, two deviations are nothing: what would pass in clean air passes in any.
    far = np.maximum(NEIGHBOURS_DEVIATIONS * deviation, NEIGHBOURS_APART)
    allowed = np.where(mean < NEIGHBOURS_LOW, NEIGHBOURS_APART, far)
    unlike: Flags = (count >= least) & (np.abs(values - mean) > allowed)
    return unlike
