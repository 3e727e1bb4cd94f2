"""Middleware that tells the browser what a page of ours may load: nothing but what this server serves."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from django.http import HttpRequest, HttpResponse

Handler = Callable[[HttpRequest], HttpResponse]

POLICY = {
    "default-src": "'self'",
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
# The API's reading rooms start themselves with inline scripts and a worker made from a blob.
READING_ROOMS = ("/swagger/", "/redoc/")
LOOSENED = {
    "script-src": "'self' 'unsafe-inline'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "worker-src": "'self' blob:",
}


def written(policy: Mapping[str, str]) -> str:
    """Write a policy as the header wants it."""
    return "; ".join(f"{directive} {sources}" for directive, sources in policy.items())


STRICT_HEADER = written(POLICY)
LOOSE_HEADER = written(POLICY | LOOSENED)


class ContentSecurityPolicyMiddleware:
    """Sets the policy on every answer that has none of its own."""

    def __init__(self, get_response: Handler) -> None:
        self._next = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._next(request)
        loose = request.path.startswith(READING_ROOMS)
        response.setdefault("Content-Security-Policy", LOOSE_HEADER if loose else STRICT_HEADER)
        return response
