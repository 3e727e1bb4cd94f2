"""What accounts announce."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SiteZoneChanged:
    """The days of a site begin and end at other times now."""

    site_id: int


@dataclass(frozen=True, slots=True)
class SiteDeleting:
    """A site is about to go, in this transaction: remove what you keep of it, and tell of that."""

    site_id: int


@dataclass(frozen=True, slots=True)
class UserDeleting:
    """A person's account is about to go, in this transaction: part what is that person's from what others need."""

    user_id: int
