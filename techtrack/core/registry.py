"""A registry for the five things that vary; adding one is adding a file to the scanned package."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from techtrack.core.errors import Invalid

T = TypeVar("T")


class UnknownKind(Invalid):
    """Nothing of that name is registered; the message lists what is."""

    code = "unknown_kind"


class Registry(Generic[T]):
    """Things of one ``kind`` by name, from the modules of ``package`` and the entry points ``techtrack.<kind>``."""

    def __init__(self, kind: str, *, package: str) -> None:
        self.kind = kind
        self._package = package
        self._items: dict[str, T] = {}
        self._scanned = False

    def register(self, name: str) -> Callable[[T], T]:
        """Decorate the thing to be known as ``name``; a second one of that name is a programming error."""

        def remember(item: T) -> T:
            if name in self._items:
                raise ValueError(f"{self.kind} {name!r} is registered twice")
            self._items[name] = item
            return item

        return remember

    def get(self, name: str, *, pointer: str = "") -> T:
        """Return the thing called ``name``.

        Raises:
            UnknownKind: there is none; the message lists the names there are.

        """
        self._scan()
        if name not in self._items:
            known = ", ".join(sorted(self._items))
            raise UnknownKind(f"{name!r} is not a known {self.kind}: choose one of {known}", pointer=pointer)
        return self._items[name]

    def names(self) -> list[str]:
        """Every registered name, sorted."""
        self._scan()
        return sorted(self._items)

    def _scan(self) -> None:
        if self._scanned:
            return
        package = importlib.import_module(self._package)
        for module in pkgutil.iter_modules(package.__path__, f"{self._package}."):
            importlib.import_module(module.name)
        for entry in entry_points(group=f"techtrack.{self.kind}"):
            entry.load()
        self._scanned = True
