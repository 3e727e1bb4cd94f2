"""How a request says who it is: access token, API key, or the cookie of a browser session."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.request import Request

from techtrack.accounts import services
from techtrack.accounts.domain import addresses
from techtrack.accounts.domain.access import Access
from techtrack.accounts.models import User
from techtrack.accounts.queries import COOKIE, access_of, access_of_key, find_key, find_session
from techtrack.core import clock
from techtrack.core.errors import Unauthenticated

CHALLENGE = 'Bearer realm="techtrack"'


class MalformedHeader(Unauthenticated):
    """The Authorization header has the right scheme and not one credential."""

    code = "malformed_authorization"


def client_address(request: HttpRequest | Request) -> str:
    """Return where the request came from; X-Forwarded-For counts only behind our own proxy."""
    return addresses.client_address(
        request.META.get("REMOTE_ADDR") or "",
        request.META.get("HTTP_X_FORWARDED_FOR", ""),
        behind_proxy=settings.BEHIND_PROXY,
    )


class TokenAuthentication(BaseAuthentication):
    """``Authorization: Bearer <access token>``."""

    def authenticate(self, request: Request) -> tuple[User, Access] | None:
        token = _credential(request, "bearer")
        if token is None:
            return None
        now = clock.now()
        session = find_session(token, now)
        services.note_session(session=session, now=now)
        return session.user, access_of(session.user, session_id=str(session.pk))

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class KeyAuthentication(BaseAuthentication):
    """``Authorization: Api-Key <key>`` or ``X-API-Key: <key>``."""

    def authenticate(self, request: Request) -> tuple[User, Access] | None:
        text = _credential(request, "api-key") or request.headers.get("X-API-Key")
        if text is None:
            return None
        now = clock.now()
        key = find_key(text, client_address(request), now)
        services.note_key(key=key, now=now)
        return key.created_by, access_of_key(key)

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class BrowserAuthentication(SessionAuthentication):
    """The session cookie of the pages; writing needs the CSRF token too."""

    def authenticate(self, request: Request) -> tuple[User, Access] | None:
        found = super().authenticate(request)
        if found is None:
            return None
        user: Any = found[0]
        session_key = request._request.session.session_key  # noqa: SLF001 - DRF offers no public way
        return user, access_of(user, session_id=f"{COOKIE}{session_key}")

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


def _credential(request: Request, scheme: str) -> str | None:
    """Return what follows ``scheme`` in the Authorization header, None where another scheme is used."""
    words = request.headers.get("Authorization", "").split()
    if not words or words[0].lower() != scheme:
        return None
    if len(words) != 2:  # noqa: PLR2004 - the scheme and one credential
        raise MalformedHeader(f"the Authorization header is the word {words[0]!r} and one credential")
    return words[1]
