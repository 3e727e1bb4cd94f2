"""Sessions: registering, logging in, renewing tokens, logging out."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate
from django.db import transaction

from techtrack.accounts.domain.access import Access
from techtrack.accounts.domain.credentials import digest
from techtrack.accounts.models import RefreshToken, Session, User
from techtrack.accounts.queries import token_session
from techtrack.accounts.services.keys import NOTED_EVERY
from techtrack.accounts.services.users import draft_user
from techtrack.accounts.tokens import encode_access
from techtrack.core.errors import Forbidden, Invalid, Unauthenticated


class WrongCredentials(Unauthenticated):
    """The name, the password, or both are wrong; which one is not told."""

    code = "wrong_credentials"


class BadRefreshToken(Unauthenticated):
    """The refresh token is unknown, spent, or its session has ended."""

    code = "refresh_token_not_valid"


class RegistrationClosed(Forbidden):
    """People do not make their own accounts here."""

    code = "registration_closed"


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a client gets for its credentials: a short-lived access token and a refresh token to spend once."""

    access: str
    refresh: str


def register(
    *, profile: dict[str, Any], password: str, address: str, device: str, now: datetime
) -> tuple[User, Tokens]:
    """Make an account that belongs nowhere yet, and log it in.

    Raises:
        RegistrationClosed: the settings do not let people register themselves.

    """
    if settings.REGISTRATION != "open":
        raise RegistrationClosed("accounts are made by an administrator here")
    user = draft_user(profile=profile, password=password, now=now)
    with transaction.atomic():
        user.save(force_insert=True)
        return user, start_session(user=user, address=address, device=device, now=now)


def log_in(*, username: str, password: str, address: str, device: str, now: datetime) -> tuple[User, Tokens]:
    """Start a session for whoever knows the password.

    Raises:
        WrongCredentials: the same, in text and in time, for a wrong password and for an unknown or inactive user.

    """
    user = authenticate(None, username=username, password=password)
    if not isinstance(user, User):
        raise WrongCredentials("no active account has this name and password")
    return user, start_session(user=user, address=address, device=device, now=now)


@transaction.atomic
def start_session(*, user: User, address: str, device: str, now: datetime) -> Tokens:
    """Open a session for ``user``, as just read, on one device and hand out its first tokens.

    Raises:
        WrongCredentials: the account is no longer as it was read.

    """
    Session.objects.filter(user=user, started_at__lte=_earliest(now)).delete()
    session = Session.objects.create(
        user=user, started_at=now, last_seen=now, address=address[:64], device=_printable(device)
    )
    # Where the password was changed, or the person deactivated, since it was compared, this finds nobody; if that
    # is just happening, the row's lock lets one wait for the other, and every session of before is ended.
    if not User.objects.filter(pk=user.pk, password=user.password, is_active=True).update(last_login=now):
        raise WrongCredentials("no active account has this name and password")
    user.last_login = now
    return _issue(session, now)


def refresh(*, token: str, now: datetime) -> Tokens:
    """Spend a refresh token for a new pair.

    Raises:
        BadRefreshToken: it opens nothing; if it was spent before, somebody has a copy, and its session ends.

    """
    with transaction.atomic():
        tokens = _exchange(digest(token), now)
        if tokens is None:
            Session.objects.filter(pk__in=_session_of(digest(token)), revoked_at=None).update(revoked_at=now)
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
    ended = {str(session_id), token_session(by) or str(session_id)}
    Session.objects.filter(pk__in=ended, revoked_at=None).update(revoked_at=now)


def note_session(*, session: Session, now: datetime) -> None:
    """Remember that the session is in use; written once a minute, so that reading costs no write."""
    if now - session.last_seen >= NOTED_EVERY:
        Session.objects.filter(pk=session.pk, last_seen__lte=now - NOTED_EVERY).update(last_seen=now)


def _exchange(spent: str, now: datetime) -> Tokens | None:
    # One statement finds the token unspent and spends it: of any number of twins one wins.
    if not RefreshToken.objects.filter(digest=spent, spent_at=None).update(spent_at=now):
        return None
    live = Session.objects.filter(revoked_at=None, started_at__gt=_earliest(now), user__is_active=True)
    session = live.filter(pk__in=_session_of(spent)).first()
    return _issue(session, now) if session else None


def _session_of(spent: str) -> Any:
    return RefreshToken.objects.filter(digest=spent).values("session")


def _issue(session: Session, now: datetime) -> Tokens:
    token = secrets.token_urlsafe(32)
    RefreshToken.objects.create(digest=digest(token), session=session, issued_at=now)
    return Tokens(encode_access(session.user_id, str(session.pk), now), token)


def _earliest(now: datetime) -> datetime:
    return now - timedelta(days=settings.SESSION_DAYS)


def _printable(device: str) -> str:
    return "".join(char for char in device if char.isprintable())[:200]
