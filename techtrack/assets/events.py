"""What assets announce."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AssetChanged:
    """An asset was created or deleted, or changed its site, type or tags: what depends on these looks again."""

    asset_id: int


@dataclass(frozen=True, slots=True)
class AssetDeleting:
    """An asset is about to go, in this transaction: remove what you keep of it."""

    asset_id: int


@dataclass(frozen=True, slots=True)
class WhatHolds:
    """A question (events.ask): what do you keep of this asset? Answer in words, such as ``3 alerts``."""

    asset_id: int
