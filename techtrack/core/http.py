"""Middleware that every request passes: its id, its slash, its metrics, and problems outside DRF."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve
from prometheus_client import Counter, Histogram

Handler = Callable[[HttpRequest], HttpResponse]

_request_id: ContextVar[str] = ContextVar("request_id", default="")
_ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
REQUESTS = Counter(
    "techtrack_http_requests_total", "Requests by route, method and status", ["route", "method", "status"]
)
SECONDS = Histogram("techtrack_http_request_seconds", "Time to answer, by route", ["route", "method"])


def current_request_id() -> str:
    """Return the id of the request in hand, empty outside one."""
    return _request_id.get()


def name_request(given: str) -> str:
    """Give the request in hand its id: ``given`` where that is plain, else a new one. For a task of its own."""
    # What is not plain is replaced: the id is written into logs. It is no secret, and the system's own
    # randomness costs up to 50 µs, as much as all else that a single reading takes.
    value = given if given and _ACCEPTABLE_ID.fullmatch(given) else f"{random.getrandbits(128):032x}"
    _request_id.set(value)
    return value


@contextmanager
def naming_request(given: str) -> Iterator[str]:
    """Give the request in hand its id until it is answered, as ``name_request`` does."""
    before = _request_id.get()
    try:
        yield name_request(given)
    finally:
        _request_id.set(before)


class RequestIdMiddleware:
    """Takes ``X-Request-ID`` or makes one, and sends it back."""

    def __init__(self, get_response: Handler) -> None:
        self._next = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with naming_request(request.headers.get("X-Request-ID", "")) as value:
            response = self._next(request)
        response["X-Request-ID"] = value
        return response


class SlashMiddleware:
    """Serves ``/api/x`` as ``/api/x/`` in place: a redirect would lose the body of a POST."""

    def __init__(self, get_response: Handler) -> None:
        self._next = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if path.startswith("/api") and not path.endswith("/") and not _resolves(path):
            request.path_info = f"{path}/"
        return self._next(request)


class MetricsMiddleware:
    """Counts and times requests by route, never by raw path: routes are few, paths are not."""

    def __init__(self, get_response: Handler) -> None:
        self._next = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = self._next(request)
        match = request.resolver_match
        route = match.route if match else "unmatched"
        # Any word may be a method: those that nobody serves count as one, or they would fill the memory.
        method = request.method if request.method in METHODS else "other"
        REQUESTS.labels(route, method, response.status_code).inc()
        SECONDS.labels(route, method).observe(time.perf_counter() - started)
        return response


def _resolves(path: str) -> bool:
    try:
        resolve(path)
    except Resolver404:
        return False
    return True
