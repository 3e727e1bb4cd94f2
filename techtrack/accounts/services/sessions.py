"""Sessions: begun by a login, with tokens or in a browser, renewed, and ended by logging out."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from techtrack.accounts.domain.access import Access
from techtrack.accounts.domain.credentials import digest
from techtrack.accounts.events import LoggedIn, LoggedOut, TokenReused
from techtrack.accounts.models import RefreshToken, Session, User
from techtrack.accounts.queries import live_sessions, session_behind
from techtrack.accounts.services.keys import NOTED_EVERY
from techtrack.accounts.services.proving import WrongCredentials, prove_person
from techtrack.accounts.tokens import encode_access
from techtrack.core import events
from techtrack.core.errors import Invalid, Unauthenticated


class BadRefreshToken(Unauthenticated):
    """The refresh token is unknown, spent, too old, or its session has ended."""

    code = "refresh_token_not_valid"


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a client gets for its credentials: a short-lived access token and a refresh token to spend once."""

    access: str
    refresh: str


def log_in(
    *, username: str, password: str, otp: str = "", address: str, device: str, now: datetime
) -> tuple[User, Tokens]:
    """Start a session for whoever knows the password, and has the second factor if there is one.

    Raises:
        Unauthenticated, TooMany: as ``prove_person``.

    """
    user = prove_person(username=username, password=password, otp=otp, address=address, now=now)
    return user, start_session(user=user, address=address, device=device, now=now)


@transaction.atomic
def start_session(*, user: User, address: str, device: str, now: datetime) -> Tokens:
    """Open a session as ``open_session`` does and hand out its first tokens."""
    return _issue(open_session(user=user, address=address, device=device, now=now), now)


@transaction.atomic
def open_session(*, user: User, address: str, device: str, now: datetime) -> Session:
    """Open a session for ``user``, as just read, on one device.

    Raises:
        WrongCredentials: the account is no longer as it was read.

    """
    session = Session.objects.create(
        user=user, started_at=now, last_seen=now, auth_time=now, address=address[:64], device=_printable(device)
    )
    # Where the password was changed, or the person deactivated, since it was compared, this finds nobody; if that
    # is just happening, the row's lock lets one wait for the other, and every session of before is ended.
    if not User.objects.filter(pk=user.pk, password=user.password, is_active=True).update(last_login=now):
        raise WrongCredentials("no active account has this name and password")
    user.last_login = now
    events.publish(LoggedIn(user_id=user.pk, detail={"session": str(session.pk)}))
    return session


def refresh(*, token: str, now: datetime) -> Tokens:
    """Spend a refresh token for a new pair.

    Exactly once, whoever asks how soon again. There is no moment of grace for a client that has lost the answer: the
    server cannot tell it from a thief who was slower, and would serve both. Such a client logs in again.

    Raises:
        BadRefreshToken: it opens nothing; if it was spent before, somebody has a copy, and its session ends.

    """
    with transaction.atomic():
        tokens = _exchange(digest(token), now)
        if tokens is None:
            _end_stolen(digest(token), now)
    # Raised after the commit, so that the end of a stolen session is not rolled back with the refusal.
    if tokens is None:
        raise BadRefreshToken("the refresh token is not valid, or was used before; log in again")
    return tokens


@transaction.atomic
def log_out(*, by: Access, token: str, now: datetime) -> None:
    """End the session of the refresh token, and the one the caller speaks in.

    Raises:
        Invalid: the token is not one of the caller's.

    """
    owned = RefreshToken.objects.filter(digest=digest(token), session__user=by.user_id)
    session_id = owned.values_list("session", flat=True).first()
    if session_id is None:
        raise Invalid("this is not a refresh token of yours", pointer="/refresh")
    log_out_of(sessions={str(session_id), session_behind(by) or str(session_id)}, user_id=by.user_id, now=now)


@transaction.atomic
def log_out_of(*, sessions: Collection[str], user_id: int, now: datetime) -> None:
    """End ``sessions`` of a person who logs out of them."""
    if Session.objects.filter(pk__in=sessions, user=user_id, revoked_at=None).update(revoked_at=now):
        events.publish(LoggedOut(user_id=user_id))


def forget_sessions(*, now: datetime) -> int:
    """Remove sessions and refresh tokens that open nothing any more for their age; return how many rows those were."""
    spent = RefreshToken.objects.filter(issued_at__lte=_idle_since(now)).delete()[0]
    return spent + Session.objects.filter(started_at__lte=now - timedelta(days=settings.SESSION_DAYS)).delete()[0]


def note_session(*, session: Session, now: datetime) -> None:
    """Remember that the session is in use; written once a minute, so that reading costs no write."""
    if now - session.last_seen >= NOTED_EVERY:
        Session.objects.filter(pk=session.pk, last_seen__lte=now - NOTED_EVERY).update(last_seen=now)


def _exchange(spent: str, now: datetime) -> Tokens | None:
    # One statement finds the token unspent and spends it: of any number of twins one wins.
    fresh = RefreshToken.objects.filter(digest=spent, spent_at=None, issued_at__gt=_idle_since(now))
    if not fresh.update(spent_at=now):
        return None
    session = live_sessions(now).filter(pk__in=_session_of(spent)).first()
    return _issue(session, now) if session else None


def _end_stolen(spent: str, now: datetime) -> None:
    """End the session of a token that came twice: all that was ever issued in it is one family."""
    twice = Session.objects.filter(pk__in=_session_of(spent), revoked_at=None)
    owner = twice.values_list("pk", "user_id").first()
    was_spent = RefreshToken.objects.filter(digest=spent).exclude(spent_at=None)
    if owner and twice.update(revoked_at=now) and was_spent.exists():
        events.publish(TokenReused(user_id=owner[1], detail={"session": str(owner[0])}))


def _session_of(spent: str) -> Any:
    return RefreshToken.objects.filter(digest=spent).values("session")


def _issue(session: Session, now: datetime) -> Tokens:
    token = secrets.token_urlsafe(32)
    RefreshToken.objects.create(digest=digest(token), session=session, issued_at=now)
    return Tokens(encode_access(session.user_id, str(session.pk), now), token)


def _idle_since(now: datetime) -> datetime:
    return now - timedelta(days=settings.SESSION_IDLE_DAYS)


def _printable(device: str) -> str:
    return "".join(char for char in device if char.isprintable())[:200]
