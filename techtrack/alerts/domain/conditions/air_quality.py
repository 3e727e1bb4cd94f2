"""The condition ``air_quality``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from techtrack.airquality.hours import MILLION
from techtrack.airquality.indexing import Scale
from techtrack.airquality.passing import highest_within, scales_of
from techtrack.airquality.periods import OzoneNowCast, QuarterHour
from techtrack.airquality.standard import standards
from techtrack.airquality.units import Amount, factor
from techtrack.alerts.domain.condition import (
    Comparator,
    Draft,
    Holds,
    Limit,
    OfTheRule,
    Unlimited,
    any_holds,
    conditions,
)
from techtrack.alerts.domain.features.running import Highest, Period, Running, Surrogate
from techtrack.alerts.domain.features.windows import Window
from techtrack.core.clock import MICROSECOND
from techtrack.core.errors import Invalid

# Directive 2008/50/EC, annex XI, and WHO 2021 demand three quarters of the data of an averaging period.
COMPLETE = 0.75
HOUR, QUARTER, QUARTERS = timedelta(hours=1), timedelta(minutes=15), 4


@conditions.register("air_quality")
@dataclass(frozen=True, slots=True, kw_only=True)
class AirQuality:
    """Holds while an average, or by a ``standard`` the index of a pollutant, is above ``limit``.

    An average is that of a limit value (1 h, 8 h, 24 h …), and ``average`` its period. An index is looked up in the
    newest edition's tables, by the standard's usual ``method`` unless another is named, at the end of each hour.

    Periods lie on the clock in UTC; one, or an hour of an index, with less than ``completeness`` of its readings says
    nothing, if the asset or its type declares the interval at which it sends. The deadband is in the parameter's unit.
    """

    limit: Limit
    average: timedelta | None = None
    completeness: float = COMPLETE
    parameter: str = ""
    standard: str | None = None
    method: str | None = None

    def place(self, draft: Draft) -> Holds:
        """Compare the average, or the concentration at which the index passes the limit."""
        if not 0 <= self.completeness <= 1:
            raise Invalid("a share from 0 to 1 is expected", pointer="/completeness")
        if self.standard is not None:
            return self._place_index(self.standard, draft)
        if self.method is not None:
            raise Invalid("a method is one of a `standard`, and none is named", pointer="/method")
        average = HOUR if self.average is None else self.average
        if average <= timedelta(0):
            raise Invalid("a duration above zero is expected", pointer="/average")
        return draft.leaf(
            self._window(average, draft), Comparator(high=draft.number(self.limit), deadband=draft.deadband)
        )

    def _place_index(self, name: str, draft: Draft) -> Holds:
        if self.average is not None:
            raise Invalid("the standard says over what it averages: leave this out", pointer="/average")
        standard, code = standards.get(name, pointer="/standard"), draft.raw(self.parameter).code
        scales = scales_of(standard, code, method=self.method)
        if not scales:
            told = f"{name} has no index of {code}: choose one of {', '.join(standard.parameters)}"
            raise Invalid(told, pointer="/parameter") if self.parameter else OfTheRule(told, pointer="/parameter")
        limit = draft.number(self.limit)
        ends = [(scale, end) for scale in scales if (end := highest_within(scale, limit)) is not None]
        if not ends:
            raise Invalid(f"the index of {code} by {name} never passes {limit:g}", pointer="/limit")
        if any(end < 0 for _, end in ends):
            raise Invalid(f"the index of {code} by {name} is always above {limit:g}", pointer="/limit")
        # The highest of what several averages say is the index.
        return any_holds([self._place_scale(scale, int(end * MILLION), draft) for scale, end in ends])

    def _place_scale(self, scale: Scale, end: int, draft: Draft) -> Holds:
        """Compare what a scale looks up with the highest concentration (millionths) that is not above the limit."""
        multiplier = _multiplier(scale, draft)
        period: Period = scale.period
        window = self._window(HOUR, draft)
        if isinstance(period, QuarterHour):
            period, window = Highest(QUARTERS), self._window(QUARTER, draft)
        elif isinstance(period, OzoneNowCast):
            period = Surrogate()
        # As the feature computes it, so that what rests on it compares equal.
        high = end / MILLION / multiplier
        if draft.deadband > high:
            raise OfTheRule(f"the deadband is larger than {high:.6g}: it would never let go", pointer="/deadband")
        feature = Running(window, period, scale.rounding, multiplier)
        return draft.leaf(feature, Comparator(high=high, deadband=draft.deadband))

    def _window(self, length: timedelta, draft: Draft) -> Window:
        width, interval = length // MICROSECOND, draft.circumstances.interval
        least = max(1, -int(-self.completeness * width // interval)) if interval else 1
        return Window(draft.raw(self.parameter), width, "avg", least)


def _multiplier(scale: Scale, draft: Draft) -> float:
    """Return what readings are multiplied with to be in the unit of a scale; 1 where no asset is looked at."""
    air = draft.circumstances.air
    if air is None:
        return 1.0
    try:
        return factor(scale.parameter, measured=air.get(scale.parameter, Amount("")), wanted=scale.amount)
    except Invalid as error:
        raise Unlimited(error.detail) from error
