"""Plain values with one member changed, for tests of what reads them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Path = tuple[str | int, ...]


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Give the way to every member and item."""
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inside:
        yield from places(one, (*path, name))


def with_one_changed(value: Any, path: Path, new: Any) -> Any:
    """Return the value with something else at a place."""
    if not path:
        return new
    changed = value.copy()
    changed[path[0]] = with_one_changed(value[path[0]], path[1:], new)
    return changed
