"""Conditional requests (RFC 9110, 13): what a client has already is not sent again, and shown to nobody else."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

from techtrack.core.api.concurrency import TAG, digest
from techtrack.core.http import Handler

READS = frozenset({"GET", "HEAD"})
# What decides on the answer beside its address: who asks, and in which form.
VARIES = ("Authorization", "X-API-Key", "Cookie", "Accept")
# Kept in an answer that says "as you have it" (RFC 9110, 15.4.5), beside what every answer has.
_KEPT = ("ETag", "Cache-Control", "Vary", "Content-Location", "Date", "Expires", "Link")


class ConditionalMiddleware:
    """Gives every answer of the API an ETag, and answers 304 to whoever names it in If-None-Match.

    The answer is made anyway, so that nobody is told "as you have it" who may not see it by now, or whose copy is
    old: what is saved is the way to the client. Browsers may keep answers for the one who asked, and ask each time.
    """

    def __init__(self, get_response: Handler) -> None:
        self._next = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._next(request)
        if not request.path_info.startswith("/api/") or request.method not in READS:
            return response
        patch_vary_headers(response, VARIES)
        if response.status_code != 200:  # noqa: PLR2004 - OK
            return response
        if not response.has_header("Cache-Control"):
            response["Cache-Control"] = "private, no-cache"
        if response.streaming or "no-store" in response["Cache-Control"]:
            return response
        if not response.has_header("ETag"):
            response["ETag"] = f'W/"{digest(response.content)}"'
        return _unchanged(response) if _has(request, response["ETag"]) else response


def _has(request: HttpRequest, tag: str) -> bool:
    named = request.headers.get("If-None-Match", "")
    # Weak comparison: a copy is as good as the thing if it says the same.
    return named.strip() == "*" or tag.removeprefix("W/") in {one.removeprefix("W/") for one in TAG.findall(named)}


def _unchanged(response: HttpResponse) -> HttpResponse:
    short = HttpResponse(status=304)
    # An answer without a body has no type of it.
    del short["Content-Type"]
    for name in _KEPT:
        if response.has_header(name):
            short[name] = response[name]
    return short
