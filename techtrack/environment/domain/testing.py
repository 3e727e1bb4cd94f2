"""Tests readings of the air in the order in which they arrive, and gathers what is doubtful into stretches."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import isnan
from typing import Final, NamedTuple

import numpy as np

from techtrack.airquality.arriving import FRESH, Mark, Memory, step
from techtrack.airquality.hours import Ints
from techtrack.airquality.quality import HOUR, Flag, disagreeing
from techtrack.environment.domain.checks import Plan
from techtrack.telemetry.domain.quality import Quality
from techtrack.telemetry.domain.reading import Batch

HUMIDITY: Final = "humidity"
# How old (µs) the humidity may be by which dust is doubted: some units send both in messages of their own.
FRESH_HUMIDITY: Final = HOUR

# So many stretches of one test may begin in an hour of a series; the last of them grows over what lies between.
MOST_AN_HOUR: Final = 60
# Late values are looked at together that are no farther apart (µs) than this, as far as this in all.
APART, TOGETHER = HOUR, 24 * HOUR

Place = tuple[int, str]  # asset, parameter
Plans = Mapping[str, Plan]


@dataclass(slots=True)
class Stretch:
    """Doubtful values, from ``start`` to ``end`` (µs, both included); ``position`` is that of its mark.

    ``told`` is up to where the mark says so already, ``number`` which stretch of its test it is in the hour in which it
    begins. One that is ``late`` lies before what was tested already.
    """

    asset: int
    code: str
    flag: Flag
    start: int
    end: int
    quality: Quality = Quality.BAD
    position: int | None = None
    told: int | None = None
    number: int = 1
    late: bool = False

    @property
    def key(self) -> tuple[int, str, Flag]:
        """The test that doubts it, of which series."""
        return self.asset, self.code, self.flag

    def takes_in(self, start: int) -> bool:
        """Tell whether it grows over what lies before ``start``, because there are too many such stretches.

        A value in two may be a sentinel, once a second: marks of each would be more than the readings.
        """
        return self.number >= MOST_AN_HOUR and self.start // HOUR == start // HOUR

    def follow(self, before: Stretch | None) -> None:
        """Count it: it comes after another one of its test."""
        if before is not None and before.start // HOUR == self.start // HOUR:
            self.number = before.number + 1


def usable_humidity(value: float, plans: Plans) -> bool:
    """Tell whether a relative humidity is one by which dust may be doubted: a broken probe says nothing of fog."""
    plan = plans.get(HUMIDITY)
    return plan is None or not (plan.checks.sentinel(value) or plan.checks.outside(value))


class Row(NamedTuple):
    """A reading of an asset of the air: the values by code, those that are there."""

    asset: int
    time: int
    values: Mapping[str, float]


@dataclass(slots=True)
class Watcher:
    """What the next values are compared with: how each series stood, the humidity of each asset, open stretches.

    ``last`` is when a series last had a value, a doubtful one too; ``late`` are the last stretches of what came late. A
    series begins as if nothing had been there, unless somebody puts what was into ``memories``; of whom that was done
    are ``known``.
    """

    known: set[int] = field(default_factory=set)
    memories: dict[Place, Memory] = field(default_factory=dict)
    last: dict[Place, int] = field(default_factory=dict)
    humidity: dict[int, tuple[int, float]] = field(default_factory=dict)
    open: dict[tuple[int, str, Flag], Stretch] = field(default_factory=dict)
    late: dict[tuple[int, str, Flag], Stretch] = field(default_factory=dict)

    def test(self, row: Row, plans: Plans) -> Iterable[Stretch]:
        """Test a reading; return the stretches that it begins or makes longer."""
        touched: list[Stretch] = []
        if HUMIDITY in row.values and usable_humidity(row.values[HUMIDITY], plans):
            self.humidity[row.asset] = (row.time, row.values[HUMIDITY])
        for code, value in row.values.items():
            plan = plans.get(code)
            if plan is not None:
                touched += self._series(row, code, value, plan)
        for code, plan in plans.items():
            if plan.channels:
                touched += self._channels(row, code, plan)
        return touched

    def take_up(self, stretch: Stretch) -> None:
        """Go on with a stretch that another process, or an earlier one, has begun."""
        place = (stretch.asset, stretch.code)
        self.open[*place, stretch.flag] = stretch
        self.last[place] = max(stretch.end, self.last.get(place, stretch.end))

    def _series(self, row: Row, code: str, value: float, plan: Plan) -> Iterable[Stretch]:
        place = (row.asset, code)
        memory = self.memories.get(place, FRESH)
        if memory.at is not None and row.time <= memory.at:
            # It comes late: beside what came after it, only the value itself can be tested.
            memory, marks = FRESH, step(FRESH, at=row.time, value=value, checks=plan.checks)[1]
            return [self._alone(row, code, mark, plan) for mark in marks]
        self.memories[place], marks = step(memory, at=row.time, value=value, checks=plan.checks)
        if self._is_fog(row, plan):
            marks.append(Mark(Flag.HUMIDITY, row.time, row.time))
        stretches = [self._stretch(place, mark, plan) for mark in marks]
        self.last[place] = row.time
        return stretches

    def _is_fog(self, row: Row, plan: Plan) -> bool:
        at, humidity = self.humidity.get(row.asset, (0, 0.0))
        return plan.humidity is not None and humidity > plan.humidity and abs(row.time - at) <= FRESH_HUMIDITY

    def _channels(self, row: Row, code: str, plan: Plan) -> Iterable[Stretch]:
        """Doubt what two channels of one sensor do not agree on: all that is made of them."""
        one, other = row.values.get(f"{code}_a"), row.values.get(f"{code}_b")
        if one is None or other is None or not disagreeing(np.array([one]), np.array([other]))[0]:
            return []
        mark = Mark(Flag.CHANNELS, row.time, row.time)
        names = (f"{code}_a", f"{code}_b", *([code] if code in row.values else []))
        return [self._stretch((row.asset, name), mark, plan) for name in names]

    def _stretch(self, place: Place, mark: Mark, plan: Plan) -> Stretch:
        """Return the stretch of a mark: the open one of its kind where only doubtful values lie between."""
        there = self.open.get((*place, mark.flag))
        joins = there is not None and (mark.start <= there.end or there.end == self.last.get(place))
        if there is None or not (joins or there.takes_in(mark.start)):
            before, there = there, Stretch(*place, mark.flag, mark.start, mark.end, _worth(mark.flag, plan))
            there.follow(before)
            self.open[there.key] = there
        there.end = max(there.end, mark.end)
        return there

    @staticmethod
    def _alone(row: Row, code: str, mark: Mark, plan: Plan) -> Stretch:
        return Stretch(row.asset, code, mark.flag, mark.start, mark.end, _worth(mark.flag, plan), late=True)


def runs_of(late: Iterable[Stretch], last: Mapping[tuple[int, str, Flag], Stretch]) -> Iterable[list[Stretch]]:
    """Put late stretches in runs that may be joined: of one test and series, in order, not far apart.

    A run goes on from the ``last`` stretch of its test, where that is near before it.
    """
    run: list[Stretch] = []
    for one in sorted(late, key=lambda one: (one.key, one.start)):
        if run and one.key == run[-1].key and one.start <= run[-1].end:
            continue
        if not run or not _may_join(run, one):
            if run:
                yield run
            before = last.get(one.key)
            run = [before] if before is not None and before.end < one.start and _may_join([before], one) else []
        run.append(one)
    if run:
        yield run


def _may_join(run: list[Stretch], one: Stretch) -> bool:
    near = one.start - run[-1].end <= APART and one.start - run[0].end <= TOGETHER
    return near and one.key == run[0].key


def gaps_of(run: Sequence[Stretch]) -> Ints:
    """Return the bounds of a run's stretches but the outer two: every other one begins a gap (µs)."""
    return np.array([[one.end + 1, other.start] for one, other in pairwise(run)], np.int64).reshape(-1)


def joined(run: Sequence[Stretch], between: Sequence[int]) -> list[Stretch]:
    """Join those stretches of a run that have no good value ``between`` them (the number in each gap), or too many."""
    found = [run[0]]
    for one, good in zip(run[1:], between, strict=True):
        there = found[-1]
        if not good or there.takes_in(one.start):
            there.end = one.end
        else:
            one.follow(there)
            found.append(one)
    return found


def beginnings(batch: Batch, ids: Collection[int]) -> Iterable[tuple[list[int], int]]:
    """Put assets of a batch together whose first readings lie in one hour; each group with the time of its first one.

    One that comes late leaves the others in their time.
    """
    there = np.isin(batch.assets, list(ids))
    first: dict[int, int] = {}
    for asset, moment in zip(batch.assets[there].tolist(), batch.times[there].tolist(), strict=True):
        first[asset] = min(moment, first.get(asset, moment))
    together: dict[int, list[int]] = {}
    for asset, moment in first.items():
        together.setdefault(moment // HOUR, []).append(asset)
    return [(some, min(first[asset] for asset in some)) for some in together.values()]


def rows_of(batch: Batch, among: Mapping[int, Plans]) -> Iterable[tuple[int, Row]]:
    """Give the readings of a batch that are of some assets, each with how many there are up to it."""
    columns = {code: column.tolist() for code, column in batch.values.items()}
    for index, (asset, time) in enumerate(zip(batch.assets.tolist(), batch.times.tolist(), strict=True)):
        if asset in among:
            values = {code: column[index] for code, column in columns.items() if not isnan(column[index])}
            yield index + 1, Row(asset, time, values)


def _worth(flag: Flag, plan: Plan) -> Quality:
    return Quality.SUSPECT if flag in plan.keep else Quality.BAD
