"""Who is calling: from a token, a key, a ticket or a cookie to one Access."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.db.models import QuerySet

from techtrack.accounts.domain import addresses, credentials
from techtrack.accounts.domain.access import Access, Scope
from techtrack.accounts.models import ApiKey, Session, User
from techtrack.accounts.tokens import Claims, decode_access
from techtrack.core.errors import Unauthenticated

COOKIE = "cookie:"
AT_ONCE = 500


class SessionEnded(Unauthenticated):
    """The session was logged out, revoked, or is past its days."""

    code = "session_ended"


class BadKey(Unauthenticated):
    """The API key is unknown, expired, used from a wrong address, or its maker is gone."""

    code = "key_not_valid"


def access_of(user: User, *, session_id: str | None = None) -> Access:
    """Return what ``user`` may do, in a session if it is in one."""
    return replace(user.access(), session_id=session_id)


def access_of_key(key: ApiKey) -> Access:
    """Return what ``key`` may do: its maker's roles, narrowed by its scope, site and asset."""
    return replace(
        key.created_by.access(),
        scope=Scope(key.scope),
        only_site=key.site_id,
        only_asset=key.asset_id,
        # A rotated key has another prefix: what the old secret opened must close.
        session_id=key.prefix,
        key_id=key.pk,
    )


def find_session(token: str, now: datetime) -> Session:
    """Return the live session, with its user, that an access token belongs to.

    Raises:
        Unauthenticated: the token is bad, its session has ended, or its user is inactive.

    """
    return session_of(decode_access(token, now), now)


def session_of(claims: Claims, now: datetime) -> Session:
    """Return the live session, with its user, that a valid token names; raises as ``find_session`` does."""
    session = _live_session(claims.session_id, claims.user_id, now)
    if session is None:
        raise SessionEnded("the session has ended; log in again")
    return session


def session_access(token: str, now: datetime) -> Access:
    """Return the access that a token carries; raises as ``find_session`` does."""
    session = find_session(token, now)
    return access_of(session.user, session_id=str(session.pk))


def find_key(key: str, address: str, now: datetime) -> ApiKey:
    """Return the row of an API key, with its maker, if it may be used now from ``address``.

    Raises:
        BadKey: it may not; which of the reasons it is, is nobody's business.

    """
    prefix = credentials.prefix_of(key)
    row = ApiKey.objects.select_related("created_by").filter(prefix=prefix).first() if prefix else None
    if (
        row is None
        or not hmac.compare_digest(row.digest, credentials.digest(key))
        or not _usable(row, now)
        or not addresses.inside(address, row.allowed_addresses)
    ):
        raise BadKey("the API key is not valid here")
    return row


def key_access(key: str, address: str, now: datetime) -> Access:
    """Return the access of an API key used from ``address``; raises as ``find_key`` does."""
    return access_of_key(find_key(key, address, now))


def current_access(access: Access, now: datetime) -> Access | None:
    """Return what the same credential may do by now, or None where it opens nothing any more.

    For long-lived connections: roles change and sessions end while a socket is open.
    """
    if access.key_id is not None:
        key = ApiKey.objects.select_related("created_by").filter(pk=access.key_id, prefix=access.session_id).first()
        return access_of_key(key) if key and _usable(key, now) else None
    user = _user_behind(access, now)
    return access_of(user, session_id=access.session_id) if user else None


def current_accesses(accesses: Sequence[Access], now: datetime) -> list[Access | None]:
    """Answer ``current_access`` for many at once, in their order; for sessions in a few queries per five hundred."""
    found: list[Access | None] = []
    for start in range(0, len(accesses), AT_ONCE):
        some = accesses[start : start + AT_ONCE]
        rows = _live_sessions(now).filter(pk__in={name for access in some if (name := token_session(access))})
        # Rows without objects: a thousand sockets are asked about every few seconds.
        behind = {str(name): user_id for name, user_id in rows.values_list("pk", "user_id")}
        users = User.objects.prefetch_related("memberships").in_bulk(set(behind.values()))
        may = {user_id: user.access() for user_id, user in users.items()}
        found += [_currently(access, behind, may, now) for access in some]
    return found


def token_session(access: Access) -> str | None:
    """Return the id of the session row that ``access`` speaks in; a key or a cookie has none."""
    name = access.session_id
    return name if name and access.key_id is None and not name.startswith(COOKIE) else None


def is_alive(access: Access, now: datetime) -> bool:
    """Tell whether the credential behind ``access`` still opens anything."""
    return current_access(access, now) is not None


def _usable(key: ApiKey, now: datetime) -> bool:
    return not key.expired(now) and key.created_by.is_active


def _currently(access: Access, behind: Mapping[str, int], may: Mapping[int, Access], now: datetime) -> Access | None:
    name = token_session(access)
    if name is None:
        return current_access(access, now)
    if behind.get(name) != access.user_id or access.user_id not in may:
        return None
    return replace(may[access.user_id], session_id=name)


def _live_sessions(now: datetime) -> QuerySet[Session]:
    earliest = now - timedelta(days=settings.SESSION_DAYS)
    return Session.objects.filter(revoked_at=None, started_at__gt=earliest, user__is_active=True)


def _live_session(session_id: str, user_id: int, now: datetime) -> Session | None:
    return _live_sessions(now).select_related("user").filter(pk=session_id, user=user_id).first()


def _user_behind(access: Access, now: datetime) -> User | None:
    if session_id := token_session(access):
        session = _live_session(session_id, access.user_id, now)
        return session.user if session else None
    user = User.objects.filter(pk=access.user_id, is_active=True).first()
    if user and access.session_id and not _cookie_opens(access.session_id.removeprefix(COOKIE), user):
        return None
    return user


def _cookie_opens(session_key: str, user: User) -> bool:
    """Tell whether a browser session still belongs to ``user``: logout deletes it, a new password unhinges it."""
    engine: Any = import_module(settings.SESSION_ENGINE)
    stored = engine.SessionStore(session_key).load()
    same_user = str(stored.get(SESSION_KEY)) == str(user.pk)
    return same_user and hmac.compare_digest(str(stored.get(HASH_SESSION_KEY)), user.get_session_auth_hash())
