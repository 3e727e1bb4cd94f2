"""What a transport keeps from one message to the next: a connection, for a run of messages of one channel."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

_held = threading.local()


class Kept(Protocol):
    """What can be let go of."""

    def leave(self) -> None:
        """End it; whatever goes wrong then changes nothing."""


@contextmanager
def run() -> Iterator[None]:
    """Within it, what transports keep in this thread waits for the next message; at its end it is let go."""
    _held.run = True
    try:
        yield
    finally:
        _held.run = False
        if (kept := take()) is not None:
            kept.leave()


def keep(thing: Kept) -> None:
    """Keep something for the next message of the run; outside of one there is none, and it is let go."""
    if getattr(_held, "run", False):
        _held.kept = thing
    else:
        thing.leave()


def take() -> Any:
    """What was kept, which is the caller's from here on; None where there is nothing."""
    kept, _held.kept = getattr(_held, "kept", None), None
    return kept
