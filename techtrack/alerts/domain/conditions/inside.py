"""The condition ``inside``."""

from __future__ import annotations

from dataclasses import dataclass

from techtrack.alerts.domain.condition import Comparator, Draft, Holds, Limit, conditions
from techtrack.core.errors import Invalid


@conditions.register("inside")
@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """Holds while the value is from ``low`` to ``high``, such as a speed at which the machine resonates.

    It lets go more than ``deadband`` outside.
    """

    low: Limit
    high: Limit
    parameter: str = ""

    def place(self, draft: Draft) -> Holds:
        """Compare the value with both."""
        low, high = draft.number(self.low), draft.number(self.high)
        if low > high:
            raise Invalid("`low` must not be above `high`", pointer="/low")
        comparator = Comparator(low, high, inside=True, deadband=draft.deadband)
        return draft.leaf(draft.series(self.parameter), comparator)
