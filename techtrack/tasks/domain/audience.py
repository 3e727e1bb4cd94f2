"""Who may see a task, as those who tell of it need to know."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Audience:
    """People by id, and whoever sees the tasks of a site (0: of assets without one; None: it is about no asset)."""

    people: frozenset[int]
    site: int | None

    def without(self, other: Audience) -> Audience:
        """Return who is in this audience and not in the other."""
        return Audience(self.people - other.people, None if self.site == other.site else self.site)

    def __bool__(self) -> bool:
        return bool(self.people) or self.site is not None


NOBODY = Audience(frozenset(), None)
