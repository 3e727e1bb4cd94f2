"""The condition ``outside``."""

from __future__ import annotations

from dataclasses import dataclass

from techtrack.alerts.domain.condition import Comparator, Draft, Holds, Limit, OfTheRule, conditions
from techtrack.core.errors import Invalid


@conditions.register("outside")
@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """Holds while the value is below ``low`` or above ``high``; it lets go ``deadband`` within."""

    low: Limit
    high: Limit
    parameter: str = ""

    def place(self, draft: Draft) -> Holds:
        """Compare the value with both."""
        low, high = draft.number(self.low), draft.number(self.high)
        if low >= high:
            raise Invalid("`low` must be below `high`", pointer="/low")
        if 2 * draft.deadband > high - low:
            raise OfTheRule("the deadband is larger than half the band: it would never let go", pointer="/deadband")
        comparator = Comparator(low, high, deadband=draft.deadband)
        return draft.leaf(draft.series(self.parameter), comparator)
