"""The condition ``rate_of_change``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from techtrack.alerts.domain.condition import INFINITY, Comparator, Draft, Holds, Limit, OfTheRule, conditions
from techtrack.alerts.domain.features.changes import Rate
from techtrack.core.clock import MICROSECOND
from techtrack.core.errors import Invalid


@conditions.register("rate_of_change")
@dataclass(frozen=True, slots=True, kw_only=True)
class RateOfChange:
    """Holds while the value changes by more than ``limit`` per ``per`` (a minute unless said).

    The value is compared with what it was between ``over`` and twice ``over`` ago; without ``over`` with the value
    before. The rule's deadband is in the unit of ``limit``.
    """

    limit: Limit
    per: timedelta = timedelta(minutes=1)
    over: timedelta = timedelta(0)
    direction: Literal["rising", "falling", "both"] = "both"
    parameter: str = ""

    def place(self, draft: Draft) -> Holds:
        """Compare the rate."""
        if self.per <= timedelta(0):
            raise Invalid("a duration above zero is expected", pointer="/per")
        if self.over < timedelta(0):
            raise Invalid("a duration is expected that is not negative", pointer="/over")
        limit = draft.number(self.limit)
        if limit <= 0:
            raise Invalid("a number above zero is expected: `direction` says which way", pointer="/limit")
        if draft.deadband > limit:
            raise OfTheRule("the deadband is larger than the limit: it would never let go", pointer="/deadband")
        low = -limit if self.direction != "rising" else -INFINITY
        high = limit if self.direction != "falling" else INFINITY
        feature = Rate(draft.series(self.parameter), self.over // MICROSECOND, self.per // MICROSECOND)
        return draft.leaf(feature, Comparator(low, high, deadband=draft.deadband))
