"""How many wrong guesses are free, and how long one waits after more of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv6Address, ip_address
from unicodedata import normalize

FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=1)
# Who has guessed wrong no more for so long begins anew.
FORGOTTEN_AFTER = timedelta(days=1)
FREE_FOR_NAME = 5
# More people than one may sit behind an address.
FREE_FOR_ADDRESS = 50


class WrongGuess(Exception):
    """Marks the errors that mean: a password or a code was compared, and was not the right one."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What guesses have in common: the name or the person that they are about, or where they come from."""

    key: str
    free: int
    user_id: int | None = None
    address: str = ""


def about_name(name: str, user_id: int | None) -> Subject:
    """Guesses about a name as somebody typed it, which may be nobody's.

    By the name and not by the person: if the user name and the e-mail address of one person were locked together,
    the lock of one would tell whose the other is.
    """
    # No way of writing that a database takes for the same name may be a new chance: upper finds more such than lower.
    plain = normalize("NFKC", name).upper().casefold()
    return Subject(_hashed("name", plain), FREE_FOR_NAME, user_id=user_id)


def about_person(user_id: int) -> Subject:
    """Guesses of somebody who is inside already, about the person's own password or code."""
    return Subject(_hashed("person", str(user_id)), FREE_FOR_NAME, user_id=user_id)


def from_address(address: str) -> Subject:
    """Guesses from one place."""
    place = network_of(address)
    return Subject(_hashed("address", place), FREE_FOR_ADDRESS, address=place)


def network_of(address: str) -> str:
    """Return what one subscriber has: an IPv4 address, or of IPv6 the first 64 bits."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:64]
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return f"{IPv6Address(int(parsed) >> 64 << 64)}/64"


def wait_after(failures: int, free: int) -> timedelta | None:
    """Return how long to wait after so many wrong guesses in a row: doubling, at most an hour; None while free."""
    if failures < free:
        return None
    return min(FIRST_WAIT * (1 << min(failures - free, 10)), LONGEST_WAIT)


def _hashed(kind: str, text: str) -> str:
    return hashlib.sha256(f"{kind}:{text}".encode("utf-8", "surrogatepass")).hexdigest()
