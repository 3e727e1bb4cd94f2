"""On whose behalf work is done: known to whoever records it, without being handed from call to call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: ``user:7``, ``key:3``, ``anonymous`` or ``system``; in which session, from where, by which door."""

    principal: str = "system"
    session: str = ""
    address: str = ""
    agent: str = ""
    via: str = ""


SYSTEM = Actor()
# Asked only when something is recorded: a request that records nothing pays for one assignment.
_who: ContextVar[Callable[[], Actor]] = ContextVar("actor", default=lambda: SYSTEM)


def current() -> Actor:
    """Return who acts here; the platform itself where nobody else was named."""
    return _who.get()()


@contextmanager
def acting(who: Callable[[], Actor]) -> Iterator[None]:
    """Do what follows on behalf of whoever ``who`` names when it is asked."""
    before = _who.set(who)
    try:
        yield
    finally:
        _who.reset(before)


def act_as(actor: Actor) -> None:
    """From now on act as ``actor``: for a thread or a command that ends with its work."""
    _who.set(lambda: actor)


def speak_for(principal: str) -> None:
    """From now on act as ``principal``, from the same place as before."""
    act_as(replace(current(), principal=principal))
