"""What a transport is: settings that can send a message; each transport is one file in transports/."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from techtrack.core import params
from techtrack.core.errors import Unavailable
from techtrack.core.registry import Registry
from techtrack.notifications.domain.message import Message

# Where the addresses were changed meanwhile.
ALL_HAVE_IT = "Every address has it already."


class NotDelivered(Unavailable):
    """The message was not taken over; ``retry`` tells whether waiting is likely to help.

    ``reached`` are the addresses of the channel that have it, by now, where only single ones have not.
    """

    code = "not_delivered"

    def __init__(self, detail: str, *, retry: bool, reached: Iterable[str] = ()) -> None:
        super().__init__(detail)
        self.retry = retry
        self.reached = frozenset(reached)


class Transport(Protocol):
    """A frozen dataclass whose fields are the settings of a channel.

    It may name in ``SECRETS`` fields (texts, or objects of texts) that nobody is shown again, in ``BOUND`` the fields
    that say where those are sent, and have ``urls()``: the addresses that people gave it, by the pointer below
    ``/config``, which are looked up when it is saved; and ``nowhere()``: a sentence where, as it is set up, nobody
    gets what it sends.
    """

    def send(self, message: Message, delivery_id: str) -> str | None:
        """Hand ``message`` over; return only once the other side has taken it, with a sentence of what it said.

        What leads to several addresses leaves those in ``message.reached`` out: they have it. ``delivery_id`` is the
        same at every attempt, so that a receiver can tell a repetition.

        Raises:
            NotDelivered: the other side is away or has refused.
        """


transports: Registry[type[Transport]] = Registry("transport", package="techtrack.notifications.transports")


def build(kind: str, config: object) -> Transport:
    """Make the transport of a channel from its settings.

    Raises:
        UnknownKind: no transport is called ``kind``.
        Invalid: a setting is wrong; the fault points below ``/config``.
    """
    return params.build(transports.get(kind, pointer="/kind"), config, pointer="/config")


def secrets_of(kind: str) -> frozenset[str]:
    """The settings of a transport that nobody is shown again."""
    found: Any = getattr(transports.get(kind), "SECRETS", ())
    return frozenset(found)


def bound_of(kind: str) -> frozenset[str]:
    """The settings that say where its secrets are sent."""
    found: Any = getattr(transports.get(kind), "BOUND", ())
    return frozenset(found)
