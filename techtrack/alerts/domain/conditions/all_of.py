"""The condition ``all_of``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from techtrack.alerts.domain.condition import Draft, Holds, all_hold, conditions
from techtrack.alerts.domain.conditions.any_of import parts


@conditions.register("all_of")
@dataclass(frozen=True, slots=True, kw_only=True)
class AllOf:
    """Holds while all of ``conditions`` do, each by the newest value of its parameter."""

    conditions: list[dict[str, Any]]

    def place(self, draft: Draft) -> Holds:
        """Combine what they look at."""
        return all_hold(parts(self.conditions, draft))
