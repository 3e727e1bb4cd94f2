"""Keys in the links of letters: signed, never stored, good until their time is over or what they speak of changed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.core import signing

from techtrack.accounts.domain.credentials import digest
from techtrack.accounts.models import User
from techtrack.core.errors import Invalid

VERIFY, RESET, INVITE = "verify", "reset", "invite"
VERIFY_FOR = timedelta(days=3)
RESET_FOR = timedelta(hours=1)
# Who has just been given an account may be away today.
WELCOME_FOR = timedelta(hours=24)


class LinkNotValid(Invalid):
    """The link is not one of ours, or its time is over, or it was used, or what it speaks of has changed."""

    code = "link_not_valid"

    def __init__(self, *, pointer: str = "/key") -> None:
        super().__init__("this link is not valid any more; ask for a new one", pointer=pointer)


def written(purpose: str, facts: dict[str, Any], *, until: datetime) -> str:
    """Return the key that says ``facts`` for one purpose."""
    return signing.dumps({**facts, "until": int(until.timestamp())}, salt=f"techtrack.accounts.{purpose}")


def read(purpose: str, key: str, *, now: datetime, pointer: str = "/key") -> dict[str, Any]:
    """Return what a key says.

    Raises:
        LinkNotValid: it was not written here for this purpose, or its time is over.
    """
    try:
        facts: dict[str, Any] = signing.loads(key, salt=f"techtrack.accounts.{purpose}")
    except (signing.BadSignature, ValueError):
        raise LinkNotValid(pointer=pointer) from None
    if facts["until"] <= now.timestamp():
        raise LinkNotValid(pointer=pointer)
    return facts


def mark_of(address: str) -> str:
    """Return what a key says of an address without telling it."""
    return digest(address.lower())[:32]


def state_of(user: User) -> str:
    """Return what a key says of how somebody logs in: with another password or address it is another one."""
    return digest(f"{user.password}\n{user.email.lower()}")[:32]
