"""The condition ``forecast``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from techtrack.alerts.domain.condition import INFINITY, Comparator, Draft, Holds, Limit, conditions
from techtrack.alerts.domain.features.windows import Forecast
from techtrack.core.clock import MICROSECOND
from techtrack.core.errors import Invalid


@conditions.register("forecast")
@dataclass(frozen=True, slots=True, kw_only=True)
class WillCross:
    """Holds while the straight line through the last ``over`` crosses a limit within ``horizon``.

    The line is drawn anew at the end of each stretch of ``over``; give ``above``, ``below``, or both.
    """

    horizon: timedelta
    over: timedelta
    above: Limit | None = None
    below: Limit | None = None
    parameter: str = ""

    def place(self, draft: Draft) -> Holds:
        """Compare where the line will be."""
        if self.above is None and self.below is None:
            raise Invalid("`above` or `below` is expected", pointer="/above")
        for name in ("horizon", "over"):
            if getattr(self, name) <= timedelta(0):
                raise Invalid("a duration above zero is expected", pointer=f"/{name}")
        low = -INFINITY if self.below is None else draft.number(self.below)
        high = INFINITY if self.above is None else draft.number(self.above)
        if low >= high or 2 * draft.deadband > high - low:
            raise Invalid("`below` must lie under `above`, by twice the deadband at least", pointer="/below")
        series = draft.raw(self.parameter)
        feature = Forecast(series, self.over // MICROSECOND, self.horizon // MICROSECOND)
        return draft.leaf(feature, Comparator(low, high, deadband=draft.deadband))
