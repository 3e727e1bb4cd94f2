"""Hourly means of a parameter, each labelled by the end of its hour, and the axis on which several of them lie.

Amounts are judged as whole millionths of their unit (``micros``): a binary fraction cannot say 9.1, and a truncating
standard would make 9.0 of what it says instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import reduce
from typing import Final

import numpy as np
import numpy.typing as npt

from techtrack.airquality.units import Reference
from techtrack.core.errors import Invalid

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
HOUR: Final = timedelta(hours=1)
MILLION: Final = 1_000_000
# Stands for no amount, as NaN does among floats.
MISSING: Final = int(np.iinfo(np.int64).min)
# More than any air holds, and little enough that sums of a fortnight stay whole 64-bit numbers.
LARGEST: Final = 1e9


@dataclass(frozen=True, slots=True, eq=False)
class Hours:
    """Hourly means: ``values[i]`` is that of the hour that ends ``i`` hours after ``first``; NaN where there is none.

    ``reference`` is the state of the air that masses of a gas are meant at. ``quarters`` (n x 4) are the means of the
    quarters of each hour, where a standard looks at them (SO2 in the UK). ``short`` are, by how many they are, the
    means of the parts of each hour, where a limit looks at those; all parts of an hour of which none can be above the
    limit are the hour's mean. ``lacks`` says what keeps hours that were measured from being known.
    """

    first: datetime
    values: Floats
    unit: str
    reference: Reference | None = field(default=None, kw_only=True)
    quarters: Floats | None = field(default=None, kw_only=True)
    short: Mapping[int, Floats] = field(default_factory=dict, kw_only=True)
    lacks: str = field(default="", kw_only=True)

    @property
    def last(self) -> datetime:
        """The end of the last hour."""
        return self.first + (len(self.values) - 1) * HOUR


@dataclass(frozen=True, slots=True)
class Axis:
    """``length`` hours, the first of which ends at ``first``."""

    first: datetime
    length: int

    def lay(self, values: Floats, *, first: datetime) -> Floats:
        """Return what of ``values`` (or rows of them) lies on the axis, the first hour ending at ``first``; else NaN.

        Raises:
            Invalid: its hours begin at another minute than those of the axis.
        """
        shift, rest = divmod(first - self.first, HOUR)
        if rest:
            raise Invalid("hours that are laid side by side must begin at the same minute of the hour")
        laid = np.full((self.length, *values.shape[1:]), np.nan)
        begin, end = max(shift, 0), min(shift + len(values), self.length)
        if begin < end:
            laid[begin:end] = values[begin - shift : end - shift]
        return laid


def axis_of(hours: Iterable[Hours]) -> Axis:
    """Return the axis from the earliest hour of all to the latest; of none an empty one."""
    some = [one for one in hours if len(one.values)]
    if not some:
        return Axis(datetime.min, 0)  # noqa: DTZ901 - no hour lies on it
    first, last = min(one.first for one in some), max(one.last for one in some)
    return Axis(first, (last - first) // HOUR + 1)


def axis_until(at: datetime, hours: Iterable[Hours], *, length: int) -> Axis:
    """Return the axis of the ``length`` hours that end with the latest full hour at or before ``at``.

    Full hours begin at the minute at which those of ``hours`` do.
    """
    begins = next((one.first for one in hours), at)
    latest = begins + (at - begins) // HOUR * HOUR
    return Axis(latest - (length - 1) * HOUR, length)


def micros(values: Floats) -> Ints:
    """Return amounts as whole millionths, MISSING for NaN.

    Raises:
        Invalid: one is larger than any air could hold.
    """
    known = ~np.isnan(values)
    if np.any(np.abs(values[known]) > LARGEST):
        raise Invalid(f"an amount is larger than {LARGEST:g}")
    return np.where(known, np.rint(np.where(known, values, 0.0) * MILLION), MISSING).astype(np.int64)


def amounts(whole: Ints) -> Floats:
    """Return whole millionths as amounts, NaN for MISSING."""
    return np.where(whole == MISSING, np.nan, whole / MILLION)


def largest(columns: Floats) -> Floats:
    """Return the largest of each row, NaN where a row knows nothing."""
    return reduce(np.fmax, columns.T)
