"""On whose behalf a request writes: asked of the request only when something is recorded."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from techtrack.accounts.api.authentication import client_address
from techtrack.accounts.domain.access import Access
from techtrack.accounts.queries import session_behind
from techtrack.accounts.services.audit import ANONYMOUS
from techtrack.core.acting import Actor, acting
from techtrack.core.http import Handler


class ActorMiddleware:
    """Lets what a request writes be known as written by whoever sent it."""

    def __init__(self, get_response: Handler) -> None:
        self._next = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with acting(lambda: actor_of(request)):
            return self._next(request)


def actor_of(request: HttpRequest) -> Actor:
    """Return who sent ``request``, as far as it has proven that by now."""
    principal, session = _proven(request)
    return Actor(
        principal=principal,
        session=session,
        address=client_address(request),
        agent=request.headers.get("User-Agent", ""),
        via=_door(request.path),
    )


def _proven(request: HttpRequest) -> tuple[str, str]:
    # REST framework leaves there what it has recognised; pages know the user of the cookie.
    access = getattr(request, "auth", None)
    if isinstance(access, Access):
        return access.principal, session_behind(access) or ""
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated:
        return f"user:{user.pk}", user.session_id or ""
    return ANONYMOUS, ""


def _door(path: str) -> str:
    return "api" if path.startswith("/api/") else "admin" if path.startswith("/admin/") else "pages"
