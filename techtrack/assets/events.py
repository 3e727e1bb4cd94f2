"""What assets announce."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from techtrack.accounts.domain.access import Access


@dataclass(frozen=True, slots=True)
class AssetChanged:
    """An asset was created or deleted, or something that others look at was changed: look again.

    ``moved``: it came or went, or its site, type or tags are other ones; ``interval``: so is that at which it sends.
    ``left`` is the site where it stood before (0: none), None where it stands where it stood.
    """

    asset_id: int
    moved: bool = True
    interval: bool = False
    attributes: frozenset[str] = frozenset()
    left: int | None = None


@dataclass(frozen=True, slots=True)
class AssetMoving:
    """An asset is about to stand at another site (None: at none), in this transaction: refuse it by raising.

    It is locked, so that nobody else moves it meanwhile.
    """

    asset_id: int
    site_id: int | None
    by: Access
    at: datetime


@dataclass(frozen=True, slots=True)
class AssetTypeChanged:
    """The interval at which assets of a type send was changed: what depends on it looks again."""

    type_id: int


@dataclass(frozen=True, slots=True)
class ParametersRegistered:
    """Parameters may have been registered, with the units that were declared or are obvious, in this transaction."""


@dataclass(frozen=True, slots=True)
class AssetDeleting:
    """An asset is about to go, in this transaction: remove what you keep of it."""

    asset_id: int


@dataclass(frozen=True, slots=True)
class AssetTypeMade:
    """An asset type was made ``by`` somebody of a ``pack`` (None: of none), in this transaction."""

    type_id: int
    pack: str | None
    by: Access
    at: datetime


@dataclass(frozen=True, slots=True)
class WhatHolds:
    """A question (events.ask): what do you keep of this asset? Answer in words, such as ``3 alerts``."""

    asset_id: int
