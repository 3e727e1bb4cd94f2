"""What is asked of every caller before a view runs; who may do what to which thing is asked by the services."""

from __future__ import annotations

from typing import Any, Protocol

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request


class Caller(Protocol):
    """What the kernel knows of a caller: a name to keep records under, and a ceiling on what it may ask."""

    @property
    def principal(self) -> str:
        """A stable name, ``user:7`` or ``key:3``."""

    def may_use(self, door: str, *, writing: bool) -> bool:
        """Say whether the caller's credentials reach ``door`` at all."""


class KnownCaller(BasePermission):
    """The caller is authenticated, and the scope of its key covers this door."""

    def has_permission(self, request: Request, view: Any) -> bool:
        caller: Any = request.auth
        if caller is None:
            return False
        door = getattr(view, "door", "resources")
        # A question that is too long for an address is asked by POST.
        writing = request.method not in SAFE_METHODS and not getattr(view, "changes_nothing", False)
        return bool(caller.may_use(door, writing=writing))
