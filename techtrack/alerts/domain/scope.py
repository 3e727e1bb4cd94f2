"""Which assets a rule watches: its scope, resolved over an index of all assets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
_NONE = -1


@dataclass(frozen=True, slots=True)
class Scope:
    """What an asset must be to be watched; a matcher that is empty matches all."""

    site_id: int | None = None
    type_id: int | None = None
    assets: frozenset[int] = frozenset()
    tags: frozenset[str] = frozenset()


class Fleet:
    """All assets, by ascending id; a *row* is a place in that order."""

    def __init__(self, assets: Iterable[tuple[int, int | None, int | None, Sequence[str]]]) -> None:
        """Take the assets as (id, site, type, tags)."""
        listed = sorted(assets, key=lambda asset: asset[0])
        self.ids = np.array([asset[0] for asset in listed], np.int64)
        self._sites = np.array([_NONE if asset[1] is None else asset[1] for asset in listed], np.int64)
        self._types = np.array([_NONE if asset[2] is None else asset[2] for asset in listed], np.int64)
        self._row_of = {asset[0]: row for row, asset in enumerate(listed)}
        self._tagged: dict[str, list[int]] = {}
        for row, asset in enumerate(listed):
            for tag in asset[3]:
                self._tagged.setdefault(tag, []).append(row)
        self._found: dict[Scope, Ints] = {}

    def rows(self, scope: Scope) -> Ints:
        """Return the rows in ``scope``, ascending; rules of the same scope share one array."""
        if scope not in self._found:
            self._found[scope] = self._resolved(scope)
        return self._found[scope]

    def _resolved(self, scope: Scope) -> Ints:
        rows = self._chosen(scope.assets)
        if scope.site_id is not None:
            rows = rows[self._sites[rows] == scope.site_id]
        if scope.type_id is not None:
            rows = rows[self._types[rows] == scope.type_id]
        for tag in scope.tags:
            rows = np.intersect1d(rows, np.array(self._tagged.get(tag, []), np.int64))
        return rows

    def _chosen(self, assets: frozenset[int]) -> Ints:
        if not assets:
            return np.arange(len(self.ids))
        return np.array(sorted(self._row_of[asset] for asset in assets if asset in self._row_of), np.int64)
