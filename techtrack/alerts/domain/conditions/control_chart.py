"""The condition ``control_chart``."""

from __future__ import annotations

from dataclasses import dataclass, field

from techtrack.alerts.domain.condition import Comparator, Draft, Holds, conditions
from techtrack.alerts.domain.conditions.deviation import check_baseline
from techtrack.alerts.domain.features.statistics import Signals
from techtrack.core.errors import Invalid

RULES = range(1, 9)
FEWEST = 2


@conditions.register("control_chart")
@dataclass(frozen=True, slots=True, kw_only=True)
class ControlChart:
    """Holds while a process is out of statistical control: at least one of Nelson's ``rules`` is broken.

    Centre and spread are learnt from the first ``learn`` values unless ``mean`` and ``stddev`` are given. ``lsl`` and
    ``usl``, the limits of the specification, are for Cp and Cpk and raise nothing.
    """

    rules: list[int] = field(default_factory=lambda: [1, 2, 3, 4])
    learn: int = 25
    mean: float | None = None
    stddev: float | None = None
    lsl: float | None = None
    usl: float | None = None
    parameter: str = ""

    def place(self, draft: Draft) -> Holds:
        """Hold with any signal."""
        if not self.rules or not set(self.rules) <= set(RULES) or len(set(self.rules)) != len(self.rules):
            raise Invalid("numbers from 1 to 8, each once, are expected", pointer="/rules")
        if self.learn < FEWEST:
            raise Invalid(f"{FEWEST} or more values are expected", pointer="/learn")
        if self.lsl is not None and self.usl is not None and self.lsl >= self.usl:
            raise Invalid("`lsl` must be below `usl`", pointer="/lsl")
        check_baseline(self.mean, self.stddev)
        series = draft.series(self.parameter)
        feature = Signals(series, tuple(sorted(self.rules)), self.learn, self.mean, self.stddev)
        return draft.leaf(feature, Comparator(high=0.0))
