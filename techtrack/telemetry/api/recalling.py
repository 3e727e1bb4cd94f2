"""What a caller was told a moment ago of assets and units, which change seldom: asked once for many questions."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar

from rest_framework.request import Request

T = TypeVar("T")
MOST = 50


def recalled(request: Request, what: Hashable, ask: Callable[[], T]) -> T:
    """Return what ``ask`` says, or said of ``what`` to the same caller, for as long as the door remembers callers.

    Any write that this process answers, but of readings, ends what it knows; behind Django nothing is remembered.
    """
    memory: dict[Hashable, T] | None = getattr(request, "memory", None)
    if memory is None:
        return ask()
    found = memory.get(what)
    if found is None:
        found = ask()
        if len(memory) >= MOST:
            memory.clear()
        memory[what] = found
    return found
