"""Who shows a token or a key, at whatever door; that it is in use is remembered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from techtrack.accounts.domain import credentials
from techtrack.accounts.domain.access import Access
from techtrack.accounts.models import User
from techtrack.accounts.queries import find_key, session_of
from techtrack.accounts.services.keys import note_key
from techtrack.accounts.services.sessions import note_session
from techtrack.accounts.tokens import decode_access


@dataclass(frozen=True, slots=True)
class Caller:
    """A person or a key, what it may do, and the moment at which its credential expires by itself, if it does."""

    user: User
    access: Access
    until: datetime | None


def recognise(*, authorization: str, api_key: str | None, address: str, now: datetime) -> Caller | None:
    """Return who shows these headers from ``address``, None where they have neither token nor key.

    Raises:
        Unauthenticated: what they have is malformed, or opens nothing (any more).
    """
    return by_token(authorization=authorization, now=now) or by_key(
        authorization=authorization, api_key=api_key, address=address, now=now
    )


def by_token(*, authorization: str, now: datetime) -> Caller | None:
    """Return who shows an access token in the Authorization header; as ``recognise``."""
    token = credentials.shown(authorization, "bearer")
    if token is None:
        return None
    claims = decode_access(token, now)
    session, access = session_of(claims, now)
    note_session(session=session, now=now)
    return Caller(session.user, access, claims.expires_at)


def by_key(*, authorization: str, api_key: str | None, address: str, now: datetime) -> Caller | None:
    """Return the maker of an API key that is shown in one of the two headers; as ``recognise``."""
    text = credentials.shown(authorization, "api-key") or api_key
    if text is None:
        return None
    key, access = find_key(text, address, now)
    note_key(key=key, now=now)
    return Caller(key.created_by, access, key.expires_at)
