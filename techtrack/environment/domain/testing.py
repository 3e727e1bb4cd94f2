"""Tests readings of the air in the order in which they arrive, and gathers what is doubtful into stretches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isnan
from typing import Final, NamedTuple

import numpy as np

from techtrack.airquality.arriving import FRESH, Mark, Memory, step
from techtrack.airquality.quality import HOUR, Flag, disagreeing
from techtrack.environment.domain.checks import Plan
from techtrack.telemetry.domain.quality import Quality
from techtrack.telemetry.domain.reading import Batch

HUMIDITY: Final = "humidity"
# How old (µs) the humidity may be by which dust is doubted: some units send both in messages of their own.
FRESH_HUMIDITY: Final = HOUR

Place = tuple[int, str]  # asset, parameter
Plans = Mapping[str, Plan]


@dataclass(slots=True)
class Stretch:
    """Doubtful values, from ``start`` to ``end`` (µs, both included); ``position`` is that of its mark.

    ``told`` is up to where the mark says so already.
    """

    asset: int
    code: str
    flag: Flag
    start: int
    end: int
    quality: Quality = Quality.BAD
    position: int | None = None
    told: int | None = None


class Row(NamedTuple):
    """A reading of an asset of the air: the values by code, those that are there."""

    asset: int
    time: int
    values: Mapping[str, float]


@dataclass(slots=True)
class Watcher:
    """What the next values are compared with: how each series stood, the humidity of each asset, open stretches.

    ``last`` is when a series last had a value, a doubtful one too. A series begins as if nothing had been there, unless
    somebody puts what was into ``memories``; of whom that was done are ``known``.
    """

    known: set[int] = field(default_factory=set)

    memories: dict[Place, Memory] = field(default_factory=dict)
    last: dict[Place, int] = field(default_factory=dict)
    humidity: dict[int, tuple[int, float]] = field(default_factory=dict)
    open: dict[tuple[int, str, Flag], Stretch] = field(default_factory=dict)

    def test(self, row: Row, plans: Plans) -> Iterable[Stretch]:
        """Test a reading; return the stretches that it begins or makes longer."""
        touched: list[Stretch] = []
        if HUMIDITY in row.values:
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
        if there is None or not (mark.start <= there.end or there.end == self.last.get(place)):
            there = self.open[*place, mark.flag] = Stretch(
                *place, mark.flag, mark.start, mark.end, _worth(mark.flag, plan)
            )
        there.end = max(there.end, mark.end)
        return there

    @staticmethod
    def _alone(row: Row, code: str, mark: Mark, plan: Plan) -> Stretch:
        return Stretch(row.asset, code, mark.flag, mark.start, mark.end, _worth(mark.flag, plan))


def rows_of(batch: Batch, among: Mapping[int, Plans]) -> Iterable[Row]:
    """Give the readings of a batch that are of some assets."""
    columns = {code: column.tolist() for code, column in batch.values.items()}
    for index, (asset, time) in enumerate(zip(batch.assets.tolist(), batch.times.tolist(), strict=True)):
        if asset in among:
            values = {code: column[index] for code, column in columns.items() if not isnan(column[index])}
            yield Row(asset, time, values)


def _worth(flag: Flag, plan: Plan) -> Quality:
    return Quality.SUSPECT if flag in plan.keep else Quality.BAD
