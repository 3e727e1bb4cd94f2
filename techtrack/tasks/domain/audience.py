"""Who may see a task, as those who tell of it need to know."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Audience:
    """People by id, and whoever sees the tasks of a site (0: of assets without one; None: it is about no asset).

    Of these a key that is bound to an asset sees only what is about ``asset``.
    """

    people: frozenset[int]
    site: int | None
    asset: int | None = None

    def without(self, other: Audience) -> Audience:
        """Return who is in this audience and not in the other."""
        return Audience(
            self.people - other.people,
            None if self.site == other.site else self.site,
            None if self.asset == other.asset else self.asset,
        )

    def __bool__(self) -> bool:
        return bool(self.people) or self.site is not None or self.asset is not None


NOBODY = Audience(frozenset(), None)
