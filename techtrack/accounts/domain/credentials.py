"""The form of machine credentials: how a secret is stored, and how an API key is written."""

from __future__ import annotations

import hashlib
import re

from techtrack.core.errors import Unauthenticated

# The part in front lets scanners of leaked secrets recognise a key, and finds its row without trying them all.
_KEY = re.compile(r"tt_([a-z0-9]{8})_[A-Za-z0-9_-]{43}")
PREFIX_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
PREFIX_LENGTH = 8


class MalformedHeader(Unauthenticated):
    """The Authorization header has the right scheme and not one credential."""

    code = "malformed_authorization"


def shown(authorization: str, scheme: str) -> str | None:
    """Return what follows ``scheme`` in an Authorization header, None where another scheme is used.

    Raises:
        MalformedHeader: not exactly one word follows.
    """
    words = authorization.split()
    if not words or words[0].lower() != scheme:
        return None
    if len(words) != 2:  # noqa: PLR2004 - the scheme and one credential
        raise MalformedHeader(f"the Authorization header is the word {words[0]!r} and one credential")
    return words[1]


def digest(secret: str) -> str:
    """Return what is stored of a random secret: of 256 random bits one fast hash gives nothing away."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def write_key(prefix: str, secret: str) -> str:
    """Join a prefix and a secret of 43 characters into an API key."""
    return f"tt_{prefix}_{secret}"


def prefix_of(key: str) -> str | None:
    """Return the prefix of an API key, or None where it is not written like one."""
    match = _KEY.fullmatch(key)
    return match[1] if match else None
