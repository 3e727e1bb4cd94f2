"""The condition ``below``."""

from __future__ import annotations

from dataclasses import dataclass

from techtrack.alerts.domain.condition import Comparator, Draft, Holds, Limit, conditions


@conditions.register("below")
@dataclass(frozen=True, slots=True, kw_only=True)
class Below:
    """Holds while the value is below ``limit``; it lets go at ``limit + deadband`` or above."""

    limit: Limit
    parameter: str = ""

    def place(self, draft: Draft) -> Holds:
        """Compare the value."""
        comparator = Comparator(low=draft.number(self.limit), deadband=draft.deadband)
        return draft.leaf(draft.series(self.parameter), comparator)
