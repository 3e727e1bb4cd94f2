"""What an air-quality index standard is, and what it says of the air at a moment and over time."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

import numpy as np

from techtrack.airquality.hours import Hours, Ints
from techtrack.airquality.tables import NONE
from techtrack.core.errors import Invalid
from techtrack.core.registry import Registry


@dataclass(frozen=True, slots=True)
class Category:
    """A class of the index up to and with ``upto`` (None: the last), its colour, and what people had better do."""

    upto: int | None
    name: str
    colour: str
    advice: str


Categories = tuple[Category, ...]


def category_of(index: int, categories: Categories) -> Category:
    """Return the class in which an index lies."""
    return categories[bisect_left([one.upto for one in categories[:-1] if one.upto is not None], index)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubIndex:
    """What one pollutant says: the concentration that was looked up, in ``unit``, over ``averaging``, and its index.

    ``completeness`` is the share of the hours that are known. Where ``index`` is None, ``reason`` says why.
    """

    parameter: str
    concentration: Decimal | None
    unit: str
    averaging: str
    completeness: float
    index: int | None = None
    category: Category | None = None
    reason: str = ""

    def __str__(self) -> str:
        # UCUM's brackets are for machines.
        unit = self.unit.strip("[]")
        told = f"{self.concentration.normalize():f} {unit}" if self.concentration is not None else "unknown"
        outcome = self.reason if self.index is None else f"index {self.index}"
        return f"{self.parameter} {told} ({self.averaging}, {self.completeness:.0%} of the hours): {outcome}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a standard says at a moment; ``index`` is None where the data are too incomplete, with the ``reason``.

    ``dominant`` is the pollutant with the highest index, the first in the standard's order of several.
    """

    standard: str
    edition: str
    method: str
    at: datetime
    index: int | None
    category: Category | None
    dominant: str | None
    pollutants: tuple[SubIndex, ...]
    reason: str = ""

    @property
    def explanation(self) -> str:
        """How it came about, in a few sentences."""
        head = f"{self.standard}, {self.edition}, method {self.method}"
        outcome = f"no index: {self.reason}" if self.category is None else f"{self.index}, {self.category.name}"
        return ". ".join([f"{head}: {outcome}", *map(str, self.pollutants)]) + "."


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class History:
    """The index hour by hour, the first hour ending at ``first``; tables.NONE where there is none.

    ``dominant`` are places in ``parameters``, NONE where nothing dominates; ``pollutants`` are their own indices.
    """

    first: datetime
    parameters: tuple[str, ...]
    index: Ints
    dominant: Ints
    pollutants: Mapping[str, Ints]

    def categories(self, categories: Categories) -> Ints:
        """Return the place of each hour's class among ``categories``, NONE where there is no index."""
        places = np.searchsorted([one.upto for one in categories[:-1] if one.upto is not None], self.index)
        return np.where(self.index == NONE, NONE, places)


class Standard(Protocol):
    """An air-quality index; ``methods[0]`` is how it averages unless another is asked for."""

    @property
    def name(self) -> str:
        """Its name in the registry."""

    @property
    def title(self) -> str:
        """What people call it."""

    @property
    def source(self) -> str:
        """Where its numbers are from."""

    @property
    def methods(self) -> tuple[str, ...]:
        """How it can average, the usual way first."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """The pollutants it knows, in its own order."""

    @property
    def categories(self) -> Categories:
        """Its classes, the best first."""

    def judge(self, hours: Mapping[str, Hours], *, at: datetime, method: str | None = None) -> Verdict:
        """Judge the air by the hours that end at ``at`` or before; parameters that the standard does not know are left.

        Raises:
            Invalid: the method is not one of the standard's, or a unit or reference is missing that it needs; faults
                point to ``/method`` or below ``/{parameter}``.
        """

    def history(self, hours: Mapping[str, Hours], *, method: str | None = None) -> History:
        """Judge every hour from the earliest of all parameters to the latest; agrees with ``judge`` in each.

        Raises:
            Invalid: as ``judge`` does.
        """


standards: Registry[Standard] = Registry("standard", package="techtrack.airquality.standards")


def chosen_method(method: str | None, methods: tuple[str, ...]) -> str:
    """Return the method that was asked for, or the usual one.

    Raises:
        Invalid: the standard has no such method.
    """
    if method is None:
        return methods[0]
    if method not in methods:
        raise Invalid(
            f"{method!r} is no method of this standard: choose one of {', '.join(methods)}", pointer="/method"
        )
    return method
