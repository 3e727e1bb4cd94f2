"""Judges by tables: the engine of every standard whose index is the worst of its pollutants' own indices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise

import numpy as np

from techtrack.airquality.hours import HOUR, MISSING, Axis, Flags, Hours, Ints, axis_of
from techtrack.airquality.measuring import Measure, multipliers
from techtrack.airquality.standard import Categories, Category, History, SubIndex, Verdict, category_of, chosen_method
from techtrack.airquality.tables import AS_IT_IS, NONE, Rounding, Table


@dataclass(frozen=True, slots=True)
class Scale(Measure):
    """How one parameter gets an index over one averaging period; a parameter with several takes the highest."""

    table: Table
    rounding: Rounding = AS_IT_IS


@dataclass(frozen=True, slots=True)
class Edition:
    """The tables that hold for hours from ``since`` on (UTC), by method."""

    name: str
    since: date
    scales: Mapping[str, tuple[Scale, ...]]


@dataclass(frozen=True, slots=True)
class Quorum:
    """An index needs ``pollutants`` of them, one of which is among ``one_of`` if any are named."""

    pollutants: int = 1
    one_of: tuple[str, ...] = ()

    def lacks(self, known: Sequence[str]) -> str:
        """Say what is missing, nothing where nothing is."""
        if len(known) < self.pollutants:
            needed = "one pollutant is" if self.pollutants == 1 else f"{self.pollutants} pollutants are"
            return f"{needed} needed with an index of its own, {len(known)} have one"
        if self.one_of and not set(self.one_of) & set(known):
            return f"one of {', '.join(self.one_of)} is needed"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexed:
    """A standard whose index is the highest of its pollutants'; the newest edition is the last.

    What is older than the first edition is judged by the first. Up to ``dominates_above`` no pollutant dominates.
    """

    name: str
    title: str
    source: str
    methods: tuple[str, ...]
    categories: Categories
    editions: tuple[Edition, ...]
    quorum: Quorum = Quorum()
    dominates_above: int = -1

    @property
    def parameters(self) -> tuple[str, ...]:
        """The pollutants of the newest edition, in the order of its tables."""
        scales = self.editions[-1].scales[self.methods[0]]
        return tuple(dict.fromkeys(scale.parameter for scale in scales))

    def edition(self, at: datetime) -> Edition:
        """Return the edition that holds at a moment."""
        return self.editions[_edition_of(self.editions, at)]

    # -- One moment, in decimals --------------------------------------------------------------------------------

    def judge(self, hours: Mapping[str, Hours], *, at: datetime, method: str | None = None) -> Verdict:
        """Judge the air at a moment; see ``Standard``."""
        method = chosen_method(method, self.methods)
        edition = self.edition(at)
        factors = multipliers(edition.scales[method], hours)
        found = [self._sub_index(one, hours[one.parameter], by, at) for one, by in factors.items()]
        given = [parameter for parameter in self.parameters if parameter in hours]
        pollutants = tuple(_highest([one for one in found if one.parameter == parameter]) for parameter in given)
        indices = {one.parameter: one.index for one in pollutants if one.index is not None}
        reason = self.quorum.lacks(list(indices))
        index = None if reason else max(indices.values())
        return Verdict(
            standard=self.name,
            edition=edition.name,
            method=method,
            at=at,
            index=index,
            category=self._category(index),
            dominant=self._dominant(indices, index),
            pollutants=pollutants,
            reason=reason,
        )

    def _sub_index(self, scale: Scale, hours: Hours, multiplier: float, at: datetime) -> SubIndex:
        average = scale.exact(hours, multiplier=multiplier, at=at)
        amount = None if average.amount is None else scale.rounding.exact(max(average.amount, Decimal(0)))
        index = None if amount is None else scale.table.exact(amount)
        reason = "; ".join(filter(None, (average.reason, hours.lacks if average.reason else "")))
        if amount is not None and index is None:
            reason = f"a mean of {scale.period.label} as low as this says nothing alone"
        return SubIndex(
            parameter=scale.parameter,
            concentration=amount,
            unit=scale.amount.unit,
            averaging=scale.period.label,
            completeness=average.completeness,
            index=index,
            category=self._category(index),
            reason=reason,
        )

    def _category(self, index: int | None) -> Category | None:
        return None if index is None else category_of(index, self.categories)

    def _dominant(self, indices: Mapping[str, int], index: int | None) -> str | None:
        if index is None or index <= self.dominates_above:
            return None
        return next(parameter for parameter, one in indices.items() if one == index)

    # -- Every hour, in whole millionths ------------------------------------------------------------------------

    def history(self, hours: Mapping[str, Hours], *, method: str | None = None) -> History:
        """Judge every hour; see ``Standard``."""
        method = chosen_method(method, self.methods)
        given = tuple(parameter for parameter in self.parameters if parameter in hours)
        axis = axis_of(hours[parameter] for parameter in given)
        parts = [_indices(edition.scales[method], hours, held) for edition, held in _stretches(self.editions, axis)]
        none = np.zeros(0, np.int64)
        pollutants = {one: np.concatenate([none, *(part[one] for part in parts)]) for one in given}
        table = np.array([pollutants[parameter] for parameter in given]).reshape(len(given), axis.length)
        index = np.where(self._enough(table, given), table.max(axis=0, initial=NONE), NONE)
        dominant = table.argmax(axis=0) if given else index
        return History(
            first=axis.first,
            parameters=given,
            index=index,
            dominant=np.where((index == NONE) | (index <= self.dominates_above), NONE, dominant),
            pollutants=pollutants,
        )

    def _enough(self, table: Ints, given: Sequence[str]) -> Flags:
        """Tell of which hours enough pollutants have an index; ``table`` has a row for each that is given."""
        known = table != NONE
        enough: Flags = known.sum(axis=0) >= self.quorum.pollutants
        if self.quorum.one_of:
            enough &= known[[row for row, parameter in enumerate(given) if parameter in self.quorum.one_of]].any(axis=0)
        return enough


def _edition_of(editions: Sequence[Edition], at: datetime) -> int:
    # The hour that ends with a day's midnight is the last of the day before.
    day = (at.astimezone(UTC) - timedelta(microseconds=1)).date()
    return sum(edition.since <= day for edition in editions[1:])


def _stretches(editions: Sequence[Edition], axis: Axis) -> list[tuple[Edition, Axis]]:
    """Return the hours of an axis on which each edition holds."""
    starts = [datetime.combine(edition.since, time(), UTC) for edition in editions[1:]]
    # The first hour of an edition is the first that ends after it begins to hold.
    passed = [(start - axis.first) // HOUR + 1 if axis.length else 0 for start in starts]
    bounds = [0, *(min(max(one, 0), axis.length) for one in passed), axis.length]
    pieces = zip(editions, pairwise(bounds), strict=True)
    return [(one, Axis(axis.first + begin * HOUR, end - begin)) for one, (begin, end) in pieces if begin < end]


def _indices(scales: Sequence[Scale], hours: Mapping[str, Hours], held: Axis) -> dict[str, Ints]:
    """Return the index of each parameter in each hour of ``held``, by one edition's scales."""
    found: dict[str, Ints] = {}
    for scale, multiplier in multipliers(scales, hours).items():
        means = scale.fast(hours[scale.parameter], multiplier=multiplier, axis=held)
        indices = scale.table.fast(scale.rounding.fast(np.maximum(means, 0)))
        known = np.where(means == MISSING, NONE, indices)
        found[scale.parameter] = np.maximum(found.get(scale.parameter, known), known)
    return found


def _highest(found: Sequence[SubIndex]) -> SubIndex:
    """Return the highest of what the scales of a parameter say; of none what is known, with the reasons of all."""
    with_index = [one for one in found if one.index is not None]
    if with_index:
        return max(with_index, key=lambda one: one.index or 0)
    shown = next((one for one in found if one.concentration is not None), found[0])
    return replace(shown, reason="; ".join(one.reason for one in found))
