"""The condition ``above``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from techtrack.alerts.domain.condition import INFINITY, Value, conditions


@conditions.register("above")
@dataclass(frozen=True, slots=True)
class Above:
    """Holds while the latest value is above ``limit``.

    Once firing, it lets go only at ``limit - deadband`` or below, so that a value resting on the
    limit does not chatter (ISA-18.2, alarm deadband). The deadband is the rule's.
    """

    limit: float

    def holds(self, window: Sequence[Value], *, firing: bool, deadband: float) -> bool:
        """Test the latest value; an empty window changes nothing."""
        if not window:
            return firing
        edge = self.limit - deadband if firing else self.limit
        return window[-1].value > edge

    def quiet(self) -> tuple[float, float]:
        """Nothing up to the limit."""
        return -INFINITY, self.limit
