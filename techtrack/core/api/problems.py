"""Turns every error into RFC 9457 problem+json; the only file that knows HTTP status codes of errors."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions as drf
from rest_framework.permissions import SAFE_METHODS
from rest_framework.response import Response
from rest_framework.views import set_rollback

from techtrack.core import acting, errors, events
from techtrack.core.auditing import Denied
from techtrack.core.headers import always
from techtrack.core.http import current_request_id, naming_request

_log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

STATUS: dict[type[errors.TechTrackError], int] = {
    errors.Invalid: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.TooSlow: 408,
    errors.Conflict: 409,
    errors.Gone: 410,
    errors.Stale: 412,
    errors.Unprocessable: 422,
    errors.TooMany: 429,
    errors.Unavailable: 503,
}
TITLES = {
    400: "The request cannot be accepted",
    401: "Credentials are missing or wrong",
    403: "Not allowed",
    404: "Not found",
    405: "This method is not served here",
    406: "None of the accepted media types is served",
    408: "The request did not arrive in time",
    409: "The current state does not allow it",
    410: "It is there no longer",
    412: "It was changed meanwhile",
    413: "The body is too large",
    415: "This media type is not read here",
    422: "The request contradicts an earlier one",
    429: "Too many requests",
    500: "Something broke on our side",
    503: "A part we depend on is away",
}


def problem(status: int, *, code: str, detail: str, faults: list[errors.Fault], instance: str) -> dict[str, Any]:
    """Build the members of a problem document."""
    return {
        "type": f"urn:techtrack:problem:{code}",
        "title": TITLES.get(status, "The request failed"),
        "status": status,
        "detail": detail,
        "code": code,
        "instance": instance,
        "request_id": current_request_id(),
        "errors": [{"pointer": f.pointer, "code": f.code, "detail": f.detail} for f in faults],
    }


def status_of(error: errors.TechTrackError) -> int:
    """Return the status of the narrowest family that ``error`` belongs to."""
    return next(STATUS[family] for family in type(error).__mro__ if family in STATUS)


def handle(error: Exception, context: Mapping[str, Any]) -> Response:
    """DRF's exception handler: no error leaves ``/api/`` in another form."""
    set_rollback()
    request = context["request"]
    status, headers, body = answer(error, instance=request.path)
    if status == STATUS[errors.Forbidden]:
        _tell_denied(request, context.get("view"), body["detail"])
    if isinstance(error, errors.Stale):
        body["current"] = getattr(error, "current", None)
        headers |= getattr(error, "headers", {})
    return Response(body, status=status, headers=headers, content_type=MEDIA_TYPE)


def _tell_denied(request: Any, view: Any, detail: str) -> None:
    # What a machine sends without being asked would fill the log.
    writes = request.method not in SAFE_METHODS and getattr(view, "door", "") != "readings"
    if writes and request.auth is not None:
        events.publish(Denied(request.method, request.path, detail, acting.current()))


def answer(error: Exception, *, instance: str) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Return status, headers and problem for an error that was met at ``instance``; what nobody expected is logged."""
    status, code, detail, faults, headers = _read(error)
    if status == INTERNAL:
        _log.error("unexpected error at %s", instance, exc_info=error)
    if status == STATUS[errors.Unauthenticated]:
        headers["WWW-Authenticate"] = 'Bearer realm="techtrack"'
    return status, headers, problem(status, code=code, detail=detail, faults=faults, instance=instance)


def early(error: Exception, *, instance: str, given: str) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return status, headers and body for an error that is met before Django sees the request, which may go on coming.

    ``given`` is the id that the request brought, if any.
    """
    with naming_request(given) as name:
        status, code, detail, faults, more = _read(error)
        body = problem(status, code=code, detail=detail, faults=faults, instance=instance)
    told = always() | more | {"Content-Type": MEDIA_TYPE, "X-Request-ID": name, "Cache-Control": "no-store"}
    return status, [*told.items(), ("Connection", "close")], json.dumps(body).encode()


INTERNAL = 500
_Reading = tuple[int, str, str, list[errors.Fault], dict[str, str]]


def _read(error: Exception) -> _Reading:
    if isinstance(error, errors.TechTrackError):
        return _read_own(error)
    if isinstance(error, drf.APIException):
        return _read_drf(error)
    return _read_django(error)


def _read_own(error: errors.TechTrackError) -> _Reading:
    status = status_of(error)
    return status, error.code, error.detail, list(error.faults), _headers(error)


def _headers(error: errors.TechTrackError) -> dict[str, str]:
    if isinstance(error, errors.TooMany):
        headers = {"Retry-After": str(error.retry_after)}
        if error.policy:
            # As draft-ietf-httpapi-ratelimit-headers writes them: what is promised, and what is left of it.
            name, quota, seconds = error.policy
            headers["RateLimit-Policy"] = f'"{name}";q={quota};w={seconds}'
            headers["RateLimit"] = f'"{name}";r=0;t={error.retry_after}'
        return headers
    return {"Retry-After": str(error.retry_after)} if isinstance(error, errors.Unavailable) else {}


def _read_drf(error: drf.APIException) -> _Reading:
    headers: dict[str, str] = {}
    if (wait := getattr(error, "wait", None)) is not None:
        headers["Retry-After"] = str(max(1, round(wait)))
    if isinstance(error, drf.ValidationError):
        faults = list(_flatten(error.detail, ""))
        if faults and all(fault.code == "unique" for fault in faults):
            return STATUS[errors.Conflict], "already_exists", faults[0].detail, faults, headers
        detail = "; ".join(f"{f.pointer or 'the body'}: {f.detail}" for f in faults[:3])
        return error.status_code, "invalid", detail, faults, headers
    code = str(getattr(error.detail, "code", error.default_code))
    # An authentication error without a scheme would be 403 in DRF; here 401 always means "who are you".
    status = 401 if isinstance(error, (drf.NotAuthenticated, drf.AuthenticationFailed)) else error.status_code
    return status, code, str(error.detail), [], headers


_DJANGO: list[tuple[tuple[type[Exception], ...], int, str, str]] = [
    ((Http404,), 404, "not_found", "There is nothing here that you may see."),
    ((PermissionDenied,), 403, "forbidden", "You may not do this."),
    ((RequestDataTooBig,), 413, "too_large", "The body is larger than this server accepts."),
    ((DataError, SuspiciousOperation), 400, "invalid", "A value is outside what can be stored."),
    ((IntegrityError,), 409, "conflict", "It exists already, or something it needs is gone."),
    ((OperationalError, InterfaceError), 503, "unavailable", "The database is away or busy; try again."),
]


def _read_django(error: Exception) -> _Reading:
    for kinds, status, code, detail in _DJANGO:
        if isinstance(error, kinds):
            headers = {"Retry-After": "5"} if status == STATUS[errors.Unavailable] else {}
            return status, code, detail, [], headers
    return INTERNAL, "internal", "The error was recorded; quote the request id.", [], {}


def _flatten(detail: Any, pointer: str) -> Iterator[errors.Fault]:
    """Walk DRF's nested error lists and name each place by JSON pointer."""
    if isinstance(detail, Mapping):
        for key, value in detail.items():
            place = pointer if key == "non_field_errors" else errors.member(pointer, key)
            yield from _flatten(value, place)
    elif isinstance(detail, list):
        for index, value in enumerate(detail):
            nested = isinstance(value, (Mapping, list))
            yield from _flatten(value, f"{pointer}/{index}" if nested else pointer)
    else:
        yield errors.Fault(pointer, str(getattr(detail, "code", "invalid")), str(detail))


def with_current(error: errors.Stale, tag: str | int, representation: Any) -> errors.Stale:
    """Attach what the thing is now, and its entity tag, so that a client with a stale copy needs no second request."""
    error.current = representation  # type: ignore[attr-defined]
    error.headers = {"ETag": f'"{tag}"'}  # type: ignore[attr-defined]
    return error


def plain_response(request: HttpRequest, status: int, code: str, detail: str) -> HttpResponse:
    """Build a problem outside DRF: unknown paths, refused bodies, the last resort."""
    body = problem(status, code=code, detail=detail, faults=[], instance=request.path)
    return HttpResponse(json.dumps(body), status=status, content_type=MEDIA_TYPE)
