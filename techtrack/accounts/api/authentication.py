"""How a request says who it is: access token, API key, or the cookie of a browser session."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from techtrack.accounts import services
from techtrack.accounts.api.remembering import callers
from techtrack.accounts.domain import addresses
from techtrack.accounts.domain.access import Access
from techtrack.accounts.models import User
from techtrack.accounts.queries import access_of
from techtrack.core import clock

CHALLENGE = 'Bearer realm="techtrack"'


def client_address(request: HttpRequest | Request) -> str:
    """Return where the request came from; X-Forwarded-For counts only behind our own proxy."""
    return addresses.address_of(request.META, behind_proxy=settings.BEHIND_PROXY)


def remembered(request: Request, ask: Callable[[], services.Caller | None]) -> services.Caller | None:
    """Return who is calling: where the view says ``remembers_callers`` and only reads, as known for two seconds.

    Any write that this process answers ends what it knows; what another process changes is felt within the five
    seconds that are promised.
    """
    view = (request.parser_context or {}).get("view")
    if request.method not in SAFE_METHODS or not getattr(view, "remembers_callers", False):
        return ask()
    return callers.caller(_name_of(request), ask)


def _name_of(request: Request) -> bytes:
    """Hash all that decides on the answer, so that no secret is kept in memory."""
    shown = [request.META.get(f"HTTP_{name}", "") for name in ("AUTHORIZATION", "X_API_KEY")]
    return sha256("\n".join([*shown, client_address(request)]).encode("utf-8", "surrogateescape")).digest()


class TokenAuthentication(BaseAuthentication):
    """``Authorization: Bearer <access token>``."""

    def authenticate(self, request: Request) -> tuple[User, Access] | None:
        shown = request.headers.get("Authorization", "")
        caller = remembered(request, lambda: services.by_token(authorization=shown, now=clock.now()))
        return (caller.user, caller.access) if caller else None

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class KeyAuthentication(BaseAuthentication):
    """``Authorization: Api-Key <key>`` or ``X-API-Key: <key>``."""

    def authenticate(self, request: Request) -> tuple[User, Access] | None:
        shown: dict[str, Any] = {
            "authorization": request.headers.get("Authorization", ""),
            "api_key": request.headers.get("X-API-Key"),
        }
        address = client_address(request)
        caller = remembered(request, lambda: services.by_key(**shown, address=address, now=clock.now()))
        return (caller.user, caller.access) if caller else None

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class BrowserAuthentication(SessionAuthentication):
    """The session cookie of the pages; writing needs the CSRF token too."""

    def authenticate(self, request: Request) -> tuple[User, Access] | None:
        found = super().authenticate(request)
        if found is None:
            return None
        user: Any = found[0]
        return user, access_of(user)

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


def keep_browser(request: Request, user: User) -> None:
    """Let the browser in which ``user`` changed the password go on: Django ends the cookies of every other."""
    if isinstance(request.successful_authenticator, BrowserAuthentication):
        update_session_auth_hash(request._request, user)  # noqa: SLF001 - DRF offers no public way
