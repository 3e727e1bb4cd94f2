"""Middleware that tells the browser what a page of ours may load: nothing but what this server serves and means."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

from techtrack.core.headers import always, written

Handler = Callable[[HttpRequest], HttpResponse]

POLICY = {
    "default-src": "'self'",
    # Filled in for each page: a script runs if the page that we wrote names it, and not because it lies here.
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "font-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
# The API's reading rooms write styles into the page as they go, and Redoc starts a worker made from a blob.
READING_ROOMS = ("/swagger/", "/redoc/")
LOOSENED = {"style-src": "'self' 'unsafe-inline'", "img-src": "'self' data: blob:", "worker-src": "'self' blob:"}
# Django's own pages, whose scripts name no nonce; there is nothing inline in them.
FOREIGN = ("/admin/",)


class SecurityHeadersMiddleware:
    """Sets the headers of ``core.headers`` on every answer, and the policy of pages on pages; ``no-store`` by default.

    Templates write ``nonce="{{ request.csp_nonce }}"`` on each script of theirs.
    """

    def __init__(self, get_response: Handler) -> None:
        self._next = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        nonce = SimpleLazyObject(lambda: secrets.token_urlsafe(16))
        request.csp_nonce = nonce  # type: ignore[attr-defined]
        response = self._next(request)
        for name, value in always().items():
            # Whatever a library thinks: Spectacular would let Swagger's page be opened by strangers.
            response[name] = value
        if response.get("Content-Type", "").startswith("text/html"):
            response["Content-Security-Policy"] = policy_of(request.path, str(nonce))
        # What may be kept says so: static files, and answers with an ETag.
        response.setdefault("Cache-Control", "no-store")
        return response


def policy_of(path: str, nonce: str) -> str:
    """Return the policy of the page at ``path`` whose scripts name ``nonce``."""
    if path.startswith(FOREIGN):
        return written(POLICY)
    loosened = LOOSENED if path.startswith(READING_ROOMS) else {}
    return written(POLICY | {"script-src": f"'nonce-{nonce}'"} | loosened)
