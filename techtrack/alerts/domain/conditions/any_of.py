"""The condition ``any_of``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from techtrack.alerts.domain.condition import (
    MOST_CLAUSES,
    Draft,
    Holds,
    any_holds,
    conditions,
    parse_condition,
    within,
)
from techtrack.core.errors import Invalid


@conditions.register("any_of")
@dataclass(frozen=True, slots=True, kw_only=True)
class AnyOf:
    """Holds while one of ``conditions`` does, or more, each by the newest value of its parameter."""

    conditions: list[dict[str, Any]]

    def place(self, draft: Draft) -> Holds:
        """Combine what they look at."""
        return any_holds(parts(self.conditions, draft))


def parts(raw: list[dict[str, Any]], draft: Draft) -> list[Holds]:
    """Place nested conditions, whose severity is the outer one's."""
    if not 1 <= len(raw) <= MOST_CLAUSES:
        raise Invalid(f"a list of 1 to {MOST_CLAUSES} conditions is expected", pointer="/conditions")
    found = []
    for index, one in enumerate(raw):
        if "severity" in one:
            raise Invalid("the severity is the outer condition's", pointer=f"/conditions/{index}/severity")
        asked = parse_condition(one, pointer=f"/conditions/{index}")
        with within(f"/conditions/{index}"):
            found.append(asked.condition.place(draft))
    return found
