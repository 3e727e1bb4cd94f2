"""The condition ``deviation``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from techtrack.alerts.domain.condition import INFINITY, Comparator, Draft, Holds, OfTheRule, conditions
from techtrack.alerts.domain.features.statistics import Deviation
from techtrack.core.clock import MICROSECOND
from techtrack.core.errors import Invalid


@conditions.register("deviation")
@dataclass(frozen=True, slots=True, kw_only=True)
class FromBaseline:
    """Holds while the value is more than ``sigmas`` standard deviations away from what is normal for this asset.

    Normal is what came in the first ``learn`` (two days unless said) after the series was first judged; or ``mean``
    and ``stddev``, as the rule lab found them. The rule's deadband is in standard deviations.
    """

    sigmas: float
    learn: timedelta = timedelta(days=2)
    mean: float | None = None
    stddev: float | None = None
    direction: Literal["above", "below", "both"] = "both"
    parameter: str = ""

    def place(self, draft: Draft) -> Holds:
        """Compare the deviation."""
        if self.sigmas <= 0:
            raise Invalid("a number above zero is expected", pointer="/sigmas")
        if draft.deadband > self.sigmas:
            raise OfTheRule("the deadband is larger than `sigmas`: it would never let go", pointer="/deadband")
        check_baseline(self.mean, self.stddev)
        if self.learn <= timedelta(0):
            raise Invalid("a duration above zero is expected", pointer="/learn")
        feature = Deviation(draft.series(self.parameter), self.learn // MICROSECOND, self.mean, self.stddev)
        low = -self.sigmas if self.direction != "above" else -INFINITY
        high = self.sigmas if self.direction != "below" else INFINITY
        return draft.leaf(feature, Comparator(low, high, deadband=draft.deadband))


def check_baseline(mean: float | None, stddev: float | None) -> None:
    """Raise Invalid unless both are given, or neither."""
    if (mean is None) != (stddev is None):
        missing = "stddev" if stddev is None else "mean"
        raise Invalid("`mean` and `stddev` come together", pointer=f"/{missing}")
    if stddev is not None and stddev <= 0:
        raise Invalid("a number above zero is expected", pointer="/stddev")
