"""Browsers that are logged in: each has a session like any other device, and its cookie says which."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from techtrack.accounts import services
from techtrack.accounts.domain.addresses import address_of
from techtrack.accounts.models import User
from techtrack.accounts.queries import live_sessions
from techtrack.core import clock

# Under this name what belongs to a cookie keeps the id of the session.
SESSION = "session"


class BrowserMiddleware(AuthenticationMiddleware):
    """Knows the person behind a cookie, as long as the session goes on that the browser began."""

    def process_request(self, request: HttpRequest) -> None:
        request.user = SimpleLazyObject(lambda: _person_behind(request))  # type: ignore[assignment] # as Django does


def begin(request: HttpRequest, user: User, **_: Any) -> None:
    """Open a session for a browser that has just logged in, by whatever way."""
    now, before = clock.now(), request.session.get(SESSION)
    if before is not None:
        services.log_out_of(sessions=[before], user_id=user.pk, now=now)
    address, device = address_of(request.META, behind_proxy=settings.BEHIND_PROXY), request.headers.get("User-Agent")
    opened = services.open_session(user=user, address=address, device=device or "", now=now)
    request.session[SESSION] = user.session_id = str(opened.pk)


def end(request: HttpRequest, user: User | None, **_: Any) -> None:
    """End the session of a browser that logs out."""
    name = request.session.get(SESSION)
    if user is not None and name is not None:
        services.log_out_of(sessions=[name], user_id=user.pk, now=clock.now())


def forget_cookies() -> None:
    """Remove what belongs to cookies that are too old."""
    store: Any = import_module(settings.SESSION_ENGINE)
    store.SessionStore.clear_expired()


def _person_behind(request: HttpRequest) -> User | AnonymousUser:
    user, now = get_user(request), clock.now()
    if not isinstance(user, User):
        return AnonymousUser()
    name = request.session.get(SESSION)
    session = live_sessions(now).filter(pk=name, user=user).first() if name else None
    if session is None:
        request.session.flush()
        return AnonymousUser()
    services.note_session(session=session, now=now)
    user.session_id = str(session.pk)
    return user
