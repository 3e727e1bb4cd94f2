"""Who is calling: from a token, a key, a ticket or a cookie to one Access."""

from __future__ import annotations

import difflib
import hmac
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Case, Model, Q, QuerySet, When

from techtrack.accounts.domain import addresses, credentials
from techtrack.accounts.domain.access import Access, Scope
from techtrack.accounts.models import ApiKey, RecoveryCode, SecondFactor, Session, User
from techtrack.accounts.tokens import Claims, decode_access
from techtrack.core.errors import NotFound, Unauthenticated

AT_ONCE = 500

# Asked by every request. By hand, one row for each role: the query builder takes 0.9 ms for what is answered in 0.03.
_SESSION = """
    SELECT s.last_seen, u.username, m.site_id, m.role
    FROM accounts_session s
    JOIN accounts_user u ON u.id = s.user_id
    LEFT JOIN accounts_membership m ON m.user_id = u.id
    WHERE s.id = %s AND s.user_id = %s AND s.revoked_at IS NULL AND s.started_at > %s AND u.is_active
"""
_KEY_COLUMNS = (
    *("id", "prefix", "digest", "old_prefix", "old_digest", "old_until", "scope", "site_id", "asset_id"),
    *("allowed_addresses", "expires_at", "last_used", "created_by_id"),
)
_KEY = f"""
    SELECT {", ".join(f"k.{name}" for name in _KEY_COLUMNS)}, u.username, m.site_id, m.role
    FROM accounts_apikey k
    JOIN accounts_user u ON u.id = k.created_by_id
    LEFT JOIN accounts_membership m ON m.user_id = u.id
    WHERE (k.prefix = %s OR k.old_prefix = %s) AND u.is_active
"""  # noqa: S608 - the names are the ones above


class SessionEnded(Unauthenticated):
    """The session was logged out, revoked, or is past its days."""

    code = "session_ended"


class BadKey(Unauthenticated):
    """The API key is unknown, expired, used from a wrong address, or its maker is gone."""

    code = "key_not_valid"


def access_of(user: User) -> Access:
    """Return what ``user`` may do, in the session where ``user`` speaks in one."""
    return user.access()


def access_named(username: str) -> Access:
    """Return what the user of this name may do.

    Raises:
        NotFound: there is none; the message names one who is spelt nearly so.

    """
    user = User.objects.filter(username__iexact=username).first()
    if user is None:
        near = difflib.get_close_matches(username, User.objects.values_list("username", flat=True), n=1)
        hint = f": did you mean {near[0]!r}?" if near else ""
        raise NotFound(f"there is no user {username!r}{hint}")
    return access_of(user)


def access_of_key(key: ApiKey) -> Access:
    """Return what ``key`` may do: its maker's roles, narrowed by its scope, site and asset."""
    return _narrowed(key.created_by.access(), key, key.prefix)


def session_of(claims: Claims, now: datetime) -> tuple[Session, Access]:
    """Return the live session that a valid token names, with its user, and what that user may do in it.

    Of both only what recognition needs is loaded; the rest is asked for where it is looked at.

    Raises:
        SessionEnded: there is none (any more), or its user is inactive.

    """
    number = uuid.UUID(claims.session_id)
    rows = _rows(
        _SESSION,
        Session._meta.pk.get_db_prep_value(number, connection),
        claims.user_id,
        connection.ops.adapt_datetimefield_value(_earliest(now)),
    )
    if not rows:
        raise SessionEnded("the session has ended; log in again")
    last_seen, username = rows[0][:2]
    session: Session = _partly(Session, id=number, user_id=claims.user_id, last_seen=_moment(last_seen))
    session.user = _person(claims.user_id, username)
    return session, _roles(session.user, rows, session_id=claims.session_id)


def session_access(token: str, now: datetime) -> Access:
    """Return the access that a token carries.

    Raises:
        Unauthenticated: the token is bad, its session has ended, or its user is inactive.

    """
    return session_of(decode_access(token, now), now)[1]


def find_key(key: str, address: str, now: datetime) -> tuple[ApiKey, Access]:
    """Return an API key, with its maker, and what it may do, if it may be used now from ``address``.

    Raises:
        BadKey: it may not; which of the reasons it is, is nobody's business.

    """
    prefix = credentials.prefix_of(key)
    rows = _rows(_KEY, prefix, prefix) if prefix else []
    found = _key(rows[0]) if rows else None
    if (
        found is None
        or prefix is None
        or not hmac.compare_digest(found.digest_of(prefix, now), credentials.digest(key))
        or found.expired(now)
        or not addresses.inside(address, found.allowed_addresses)
    ):
        raise BadKey("the API key is not valid here")
    return found, _narrowed(_roles(found.created_by, rows), found, prefix)


def key_access(key: str, address: str, now: datetime) -> Access:
    """Return the access of an API key used from ``address``; raises as ``find_key`` does."""
    return find_key(key, address, now)[1]


def current_access(access: Access, now: datetime) -> Access | None:
    """Return what the same credential may do by now, or None where it opens nothing any more.

    For long-lived connections: roles change and sessions end while a socket is open.
    """
    if access.key_id is not None:
        key = ApiKey.objects.select_related("created_by").filter(pk=access.key_id).first()
        shown = access.session_id or ""
        return _narrowed(key.created_by.access(), key, shown) if key and _usable(key, shown, now) else None
    user = _user_behind(access, now)
    return replace(user.access(), session_id=access.session_id) if user else None


def current_accesses(accesses: Sequence[Access], now: datetime) -> list[Access | None]:
    """Answer ``current_access`` for many at once, in their order; for sessions in a few queries per five hundred."""
    found: list[Access | None] = []
    for start in range(0, len(accesses), AT_ONCE):
        some = accesses[start : start + AT_ONCE]
        rows = live_sessions(now).filter(pk__in={name for access in some if (name := session_behind(access))})
        # Rows without objects: a thousand sockets are asked about every few seconds.
        behind = {str(name): user_id for name, user_id in rows.values_list("pk", "user_id")}
        users = User.objects.prefetch_related("memberships").in_bulk(set(behind.values()))
        may = {user_id: user.access() for user_id, user in users.items()}
        found += [_currently(access, behind, may, now) for access in some]
    return found


def session_behind(access: Access) -> str | None:
    """Return the id of the session that ``access`` speaks in; a key has none, nor has the platform itself."""
    return access.session_id if access.key_id is None else None


def find_person(name: str) -> User | None:
    """Return whose user name or e-mail address this is, in any case.

    An address that was shown to be somebody's goes before a user name that looks like it, and that before an
    address which is only claimed, and which several people may claim.
    """
    by_address = Q(email__iexact=name)
    rank = Case(
        When(by_address & Q(email_verified_at__isnull=False), then=0), When(username__iexact=name, then=1), default=2
    )
    return User.objects.filter(by_address | Q(username__iexact=name)).order_by(rank, "pk").first()


def second_factor_of(user_id: int) -> SecondFactor | None:
    """Return a person's second factor, if there is one that counts."""
    return SecondFactor.objects.filter(user=user_id).exclude(confirmed_at=None).first()


def recovery_codes_left(user_id: int) -> int:
    """Count the recovery codes that a person has not used."""
    return RecoveryCode.objects.filter(user=user_id).count()


def auth_time_of(access: Access) -> datetime | None:
    """Return when the person who speaks in this session last proved who they are, None where nothing says so."""
    name = session_behind(access)
    return Session.objects.filter(pk=name).values_list("auth_time", flat=True).first() if name else None


def is_alive(access: Access, now: datetime) -> bool:
    """Tell whether the credential behind ``access`` still opens anything."""
    return current_access(access, now) is not None


def _rows(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())


def _key(row: tuple[Any, ...]) -> ApiKey:
    known: dict[str, Any] = dict(zip(_KEY_COLUMNS, row, strict=False))
    known |= {name: _moment(known[name]) for name in ("old_until", "expires_at", "last_used")}
    key: ApiKey = _partly(ApiKey, **(known | {"allowed_addresses": json.loads(known["allowed_addresses"])}))
    key.created_by = _person(key.created_by_id, row[len(_KEY_COLUMNS)])
    return key


def _person(user_id: int, username: str) -> User:
    user: User = _partly(User, id=user_id, username=username, is_active=True)
    return user


def _partly(model: type[Model], **known: Any) -> Any:
    """Make an object of a row of which only some columns were read."""
    names = [field.attname for field in model._meta.concrete_fields if field.attname in known]
    return model.from_db(connection.alias, names, [known[name] for name in names])


def _moment(stored: datetime | None) -> datetime | None:
    # SQLite's times are UTC without saying so.
    return stored and (stored if stored.tzinfo else stored.replace(tzinfo=UTC))


def _roles(user: User, rows: Sequence[tuple[Any, ...]], *, session_id: str | None = None) -> Access:
    """Read the roles at the end of ``rows``."""
    return Access.of(user.pk, user.username, (row[-2:] for row in rows), session_id=session_id)


def _narrowed(access: Access, key: ApiKey, shown: str) -> Access:
    return replace(
        access,
        scope=Scope(key.scope),
        only_site=key.site_id,
        only_asset=key.asset_id,
        # A rotated key has another prefix: what the old secret opened must close.
        session_id=shown,
        key_id=key.pk,
    )


def _usable(key: ApiKey, shown: str, now: datetime) -> bool:
    return bool(key.digest_of(shown, now)) and not key.expired(now) and key.created_by.is_active


def _currently(access: Access, behind: Mapping[str, int], may: Mapping[int, Access], now: datetime) -> Access | None:
    name = session_behind(access)
    if name is None:
        return current_access(access, now)
    if behind.get(name) != access.user_id or access.user_id not in may:
        return None
    return replace(may[access.user_id], session_id=name)


def live_sessions(now: datetime) -> QuerySet[Session]:
    """Sessions that open something now."""
    return Session.objects.filter(revoked_at=None, started_at__gt=_earliest(now), user__is_active=True)


def _earliest(now: datetime) -> datetime:
    return now - timedelta(days=settings.SESSION_DAYS)


def _user_behind(access: Access, now: datetime) -> User | None:
    if session_id := session_behind(access):
        session = live_sessions(now).select_related("user").filter(pk=session_id, user=access.user_id).first()
        return session.user if session else None
    return User.objects.filter(pk=access.user_id, is_active=True).first()
