"""The condition ``below``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from techtrack.alerts.domain.condition import INFINITY, Value, conditions


@conditions.register("below")
@dataclass(frozen=True, slots=True)
class Below:
    """Holds while the latest value is below ``limit``; once firing, until it is at ``limit + deadband`` or above."""

    limit: float

    def holds(self, window: Sequence[Value], *, firing: bool, deadband: float) -> bool:
        """Test the latest value; an empty window changes nothing."""
        if not window:
            return firing
        edge = self.limit + deadband if firing else self.limit
        return window[-1].value < edge

    def quiet(self) -> tuple[float, float]:
        """Nothing from the limit up."""
        return self.limit, INFINITY
