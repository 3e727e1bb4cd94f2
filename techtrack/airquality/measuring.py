"""What a standard looks at of a parameter: its mean over a period, in the standard's own unit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from techtrack.airquality.hours import HOUR, MILLION, MISSING, Axis, Hours, Ints, axis_until, micros
from techtrack.airquality.periods import Average, Period
from techtrack.airquality.units import Amount, factor
from techtrack.core.errors import Fault, Invalid


@dataclass(frozen=True, slots=True)
class Measure:
    """The mean of a parameter over a period, in the unit and at the reference of ``amount``."""

    parameter: str
    amount: Amount
    period: Period

    def exact(self, hours: Hours, *, multiplier: float, at: datetime) -> Average:
        """Return the mean at a moment, in decimals."""
        axis = axis_until(at, [hours], length=self.period.hours)
        whole = self._laid(hours, axis, multiplier).tolist()
        return self.period.exact([None if one == MISSING else Decimal(one) / MILLION for one in whole])

    def fast(self, hours: Hours, *, multiplier: float, axis: Axis) -> Ints:
        """Return the means up to each hour of an axis, in whole millionths."""
        # The first of them look back at hours before the axis.
        back = self.period.hours - 1
        longer = Axis(axis.first - back * HOUR, axis.length + back)
        return self.period.fast(self._laid(hours, longer, multiplier))[back:]

    def _laid(self, hours: Hours, axis: Axis, multiplier: float) -> Ints:
        return micros(axis.lay(self.period.of(hours), first=hours.first) * multiplier)


M = TypeVar("M", bound=Measure)


def multipliers(measures: Iterable[M], hours: Mapping[str, Hours]) -> dict[M, float]:
    """Return what the values of each measure's parameter are multiplied with to be in its unit; of those given.

    Raises:
        Invalid: with a fault for each unit or reference that is missing; they point below ``/{parameter}``.
    """
    faults: dict[Fault, None] = {}
    found: dict[M, float] = {}
    for measure in measures:
        if measure.parameter not in hours:
            continue
        one = hours[measure.parameter]
        try:
            found[measure] = factor(measure.parameter, measured=Amount(one.unit, one.reference), wanted=measure.amount)
        except Invalid as error:
            faults |= dict.fromkeys(error.faults)
    if faults:
        raise Invalid(next(iter(faults)).detail, faults=faults)
    return found
