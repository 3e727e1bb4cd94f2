"""The condition ``flatline``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from techtrack.alerts.domain.condition import Comparator, Draft, Holds, conditions
from techtrack.alerts.domain.features.changes import Stuck
from techtrack.core.errors import Invalid

# Times are whole microseconds: what is above the time less nearly half of one has reached it.
_HALF = 0.4e-6


@conditions.register("flatline")
@dataclass(frozen=True, slots=True, kw_only=True)
class Flatline:
    """Holds once the value has stayed within ``tolerance`` of where it was for ``duration``: a stuck sensor.

    It lets go with the first value that lies elsewhere. Silence is another matter: ``no_data``.
    """

    duration: timedelta
    tolerance: float = 0.0
    parameter: str = ""

    def place(self, draft: Draft) -> Holds:
        """Compare how long it has rested."""
        if self.duration <= timedelta(0):
            raise Invalid("a duration above zero is expected", pointer="/duration")
        if self.tolerance < 0:
            raise Invalid("a number that is not negative is expected", pointer="/tolerance")
        feature = Stuck(draft.series(self.parameter), self.tolerance)
        return draft.leaf(feature, Comparator(high=self.duration.total_seconds() - _HALF))
