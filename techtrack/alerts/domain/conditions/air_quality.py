"""The condition ``air_quality``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from techtrack.alerts.domain.condition import Comparator, Draft, Holds, Limit, conditions
from techtrack.alerts.domain.features.windows import Window
from techtrack.core.clock import MICROSECOND
from techtrack.core.errors import Invalid

# Directive 2008/50/EC, annex XI, and WHO 2021 demand three quarters of the data of an averaging period.
COMPLETE = 0.75


@conditions.register("air_quality")
@dataclass(frozen=True, slots=True, kw_only=True)
class LimitValue:
    """Holds while the average over the ``average`` period of a limit value (1 h, 8 h, 24 h …) is above ``limit``.

    Periods lie on the clock in UTC; one with less than ``completeness`` of its readings says nothing, if the asset or
    its type declares the interval at which it sends.
    """

    limit: Limit
    average: timedelta = timedelta(hours=1)
    completeness: float = COMPLETE
    parameter: str = ""

    def place(self, draft: Draft) -> Holds:
        """Compare the average."""
        if self.average <= timedelta(0):
            raise Invalid("a duration above zero is expected", pointer="/average")
        if not 0 <= self.completeness <= 1:
            raise Invalid("a share from 0 to 1 is expected", pointer="/completeness")
        width, interval = self.average // MICROSECOND, draft.circumstances.interval
        least = max(1, -int(-self.completeness * width // interval)) if interval else 1
        feature = Window(draft.raw(self.parameter), width, "avg", least)
        return draft.leaf(feature, Comparator(high=draft.number(self.limit), deadband=draft.deadband))
