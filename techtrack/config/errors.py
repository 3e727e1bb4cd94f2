"""What Django answers where no view does: a problem under /api/, a page elsewhere."""

from __future__ import annotations

import logging

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from techtrack.core.api.problems import plain_response, status_of
from techtrack.core.errors import TechTrackError, Unavailable
from techtrack.core.http import Handler

_log = logging.getLogger(__name__)

WORDS = {
    400: ("invalid", "The request cannot be understood."),
    403: ("forbidden", "You may not do this."),
    404: ("not_found", "There is nothing here that you may see."),
    500: ("internal", "Something broke on our side; it was recorded."),
}


class ErrorMiddleware:
    """Answers our own errors where no API view did: on pages and in Django's admin."""

    def __init__(self, get_response: Handler) -> None:
        self._next = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._next(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer a TechTrackError as itself and a database that is away as 503; any other is Django's."""
        if isinstance(exception, (OperationalError, InterfaceError)):
            _log.error("the database is away or busy at %s", request.path, exc_info=exception)
            exception = Unavailable("The database is away or busy; try again.")
        if not isinstance(exception, TechTrackError):
            return None
        response = _show(request, status_of(exception), exception.code, exception.detail)
        if isinstance(exception, Unavailable):
            response["Retry-After"] = str(exception.retry_after)
        return response


def _answer(request: HttpRequest, status: int) -> HttpResponse:
    return _show(request, status, *WORDS[status])


def _show(request: HttpRequest, status: int, code: str, detail: str) -> HttpResponse:
    if request.path.startswith("/api"):
        return plain_response(request, status, code, detail)
    return render(request, "web/error.html", {"status": status, "detail": detail}, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 400."""
    return _answer(request, 400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 403."""
    return _answer(request, 403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404."""
    return _answer(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500."""
    return _answer(request, 500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer 403 where a form came without its token."""
    return _answer(request, 403)
