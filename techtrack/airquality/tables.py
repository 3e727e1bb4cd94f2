"""How a concentration becomes a number of an index: rounding, straight lines between breakpoints, and bands.

Each has two forms that agree in every amount: ``exact`` computes one in decimals, as the standard's text does, and
``fast`` computes an array of whole millionths in whole numbers.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Final, Protocol

import numpy as np

from techtrack.airquality.hours import MILLION, Ints

# Of an array of indices, where an amount has none.
NONE: Final = -1
HALF: Final = Decimal("0.5")


def whole(amount: Decimal) -> int:
    """Return a breakpoint, which has six decimals at most, as whole millionths."""
    return int(amount * MILLION)


class How(StrEnum):
    """What happens to what lies between two steps; a half goes up."""

    TRUNCATE = "truncated"
    HALF_UP = "rounded"


@dataclass(frozen=True, slots=True)
class Rounding:
    """The step to which concentrations are brought before they are looked up."""

    how: How
    step: Decimal

    def exact(self, amount: Decimal) -> Decimal:
        """Bring one amount to the step."""
        steps = amount / self.step + (HALF if self.how is How.HALF_UP else 0)
        return steps.to_integral_value(ROUND_FLOOR) * self.step

    def fast(self, amounts: Ints) -> Ints:
        """Bring amounts to the step."""
        step = whole(self.step)
        half = step // 2 if self.how is How.HALF_UP else 0
        return (amounts + half) // step * step

    def __str__(self) -> str:
        return f"{self.how} to {self.step.normalize():f}"


# What a standard says nothing of is kept as it is: means are whole millionths.
AS_IT_IS: Final = Rounding(How.TRUNCATE, Decimal("0.000001"))


class Table(Protocol):
    """Gives the index of a concentration that is not negative."""

    def exact(self, amount: Decimal) -> int | None:
        """Return the index of one, None where the table says nothing of it."""

    def fast(self, amounts: Ints) -> Ints:
        """Return the indices of many, NONE where the table says nothing."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One line of a table of breakpoints: concentrations from ``low`` to ``high`` become indices of that range."""

    low: Decimal
    high: Decimal
    index_low: int
    index_high: int


class Whole(StrEnum):
    """How an index becomes a whole number."""

    HALF_UP = "to the nearest"
    UP = "up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Straight lines between breakpoints; below the first it says nothing, above the last the last line goes on.

    ``most`` is the highest index that it gives, None where there is none.
    """

    segments: tuple[Segment, ...]
    whole: Whole = Whole.HALF_UP
    most: int | None = None

    def exact(self, amount: Decimal) -> int | None:
        """Return the index of one amount."""
        if amount < self.segments[0].low:
            return None
        line = next((one for one in self.segments if amount <= one.high), self.segments[-1])
        # Multiplied first: a quotient that is a whole number, or a half, is then exact.
        rise = (line.index_high - line.index_low) * (amount - line.low) / (line.high - line.low)
        mode = ROUND_CEILING if self.whole is Whole.UP else ROUND_HALF_UP
        index = line.index_low + int(rise.to_integral_value(mode))
        return index if self.most is None else min(index, self.most)

    def fast(self, amounts: Ints) -> Ints:
        """Return the indices of many amounts."""
        lows, highs = (np.array([whole(getattr(one, end)) for one in self.segments]) for end in ("low", "high"))
        begins, ends = (np.array([getattr(one, f"index_{end}") for one in self.segments]) for end in ("low", "high"))
        line = np.minimum(np.searchsorted(highs, amounts), len(highs) - 1)
        width = (highs - lows)[line]
        rise = (ends - begins)[line] * (amounts - lows[line])
        index = begins[line] + (-(-rise // width) if self.whole is Whole.UP else (2 * rise + width) // (2 * width))
        if self.most is not None:
            index = np.minimum(index, self.most)
        return np.where(amounts < lows[0], NONE, index)


@dataclass(frozen=True, slots=True)
class Bands:
    """Bands numbered from 1; each reaches up to its limit, which is in it, and the last one has none."""

    limits: tuple[Decimal, ...]

    def exact(self, amount: Decimal) -> int:
        """Return the band of one amount."""
        return bisect_left(self.limits, amount) + 1

    def fast(self, amounts: Ints) -> Ints:
        """Return the bands of many amounts."""
        return np.searchsorted(np.array([whole(limit) for limit in self.limits]), amounts).astype(np.int64) + 1


def lines(*ends: str, whole: Whole = Whole.HALF_UP, most: int | None = None) -> Lines:
    """Build lines from ``"0.0-9.0 0-50"``: concentrations, then indices."""
    return Lines(segments=tuple(_segment(one) for one in ends), whole=whole, most=most)


def _segment(text: str) -> Segment:
    concentrations, indices = text.split(" ")
    low, high = concentrations.split("-")
    begin, end = indices.split("-")
    return Segment(Decimal(low), Decimal(high), int(begin), int(end))


def joined(concentrations: str, indices: str, *, whole: Whole = Whole.HALF_UP, most: int | None = None) -> Lines:
    """Build lines that join, from breakpoints such as ``"0 30 60"`` and their indices ``"0 50 100"``."""
    points = [Decimal(one) for one in concentrations.split()]
    numbers = [int(one) for one in indices.split()]
    parts = zip(points, points[1:], numbers, numbers[1:], strict=False)
    return Lines(segments=tuple(Segment(*part) for part in parts), whole=whole, most=most)


def bands(limits: str) -> Bands:
    """Build bands from their limits, such as ``"5 15 50"``."""
    return Bands(tuple(Decimal(limit) for limit in limits.split()))
