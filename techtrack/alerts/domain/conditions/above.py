"""The condition ``above``."""

from __future__ import annotations

from dataclasses import dataclass

from techtrack.alerts.domain.condition import Comparator, Draft, Holds, Limit, conditions


@conditions.register("above")
@dataclass(frozen=True, slots=True, kw_only=True)
class Above:
    """Holds while the value is above ``limit``; it lets go at ``limit - deadband`` or below."""

    limit: Limit
    parameter: str = ""

    def place(self, draft: Draft) -> Holds:
        """Compare the value."""
        comparator = Comparator(high=draft.number(self.limit), deadband=draft.deadband)
        return draft.leaf(draft.series(self.parameter), comparator)
