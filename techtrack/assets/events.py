"""What assets announce."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AssetChanged:
    """An asset was created, edited or deleted: what depends on its type, site or tags looks again."""

    asset_id: int


@dataclass(frozen=True, slots=True)
class AssetDeleting:
    """An asset is about to go, in this transaction: remove what you keep of it."""

    asset_id: int


@dataclass(frozen=True, slots=True)
class WhatHolds:
    """A question (events.ask): what do you keep of this asset? Answer in words, such as ``3 alerts``."""

    asset_id: int
