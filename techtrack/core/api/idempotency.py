"""Idempotency-Key: the first answer to a write is kept and given again, also when two arrive at once.

A twin that arrives while the first is at work waits for it and gets the same answer: the unique
constraint holds it, so no half-finished key can be left behind by a crash.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.utils.crypto import salted_hmac
from rest_framework.request import Request
from rest_framework.response import Response

from techtrack.core import clock
from techtrack.core.errors import Invalid, Unprocessable
from techtrack.core.models import IdempotencyRecord

KEPT = timedelta(hours=24)
LONGEST = 255
_REPLAYED_HEADERS = ("Location", "ETag")


class KeyReused(Unprocessable):
    """The key came before with another body."""

    code = "idempotency_key_reused"


def once(request: Request, work: Callable[[], Response]) -> Response | HttpResponse:
    """Do ``work`` unless this caller sent the same key before; then answer as then.

    The record and the effect are one transaction: after a crash either both are there or neither.

    Raises:
        KeyReused: the same key came with another body.

    """
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return work()
    if not 0 < len(key) <= LONGEST or not key.isprintable():
        raise Invalid(f"Idempotency-Key has 1 to {LONGEST} printable characters", pointer="Idempotency-Key")
    caller: Any = request.auth
    principal, route = caller.principal, request.path_info.rstrip("/")[:200]
    digest = _fingerprint(request, route)
    now = clock.now()
    IdempotencyRecord.objects.filter(created_at__lt=now - KEPT).delete()
    where = {"principal": principal, "route": route, "key": key}
    if earlier := IdempotencyRecord.objects.filter(**where).first():
        return _replay(earlier, digest)
    try:
        with transaction.atomic():
            # The unique constraint decides: a twin waits here (PostgreSQL) or for the lock (SQLite).
            record = IdempotencyRecord.objects.create(**where, fingerprint=digest, created_at=now)
            return _keep(record, work(), request)
    except IntegrityError:
        earlier = IdempotencyRecord.objects.filter(**where).first()
        if earlier is None:
            raise
        return _replay(earlier, digest)


def keyed(method: Callable[..., Response]) -> Callable[..., Response | HttpResponse]:
    """Let a method of a view be done ``once``."""

    @wraps(method)
    def honouring(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response | HttpResponse:
        return once(request, lambda: method(view, request, *args, **kwargs))

    return honouring


def _fingerprint(request: Request, route: str) -> str:
    # Django keeps the bytes it was asked for, so that the parser can read them after us.
    body = request._request.body  # noqa: SLF001 - DRF offers no public way
    query = request.META.get("QUERY_STRING", "")
    said = f"{request.method} {route}?{query}\n".encode() + body
    # With our secret: a body may hold a password, which nobody shall guess from what is kept.
    return salted_hmac("techtrack.idempotency", said, algorithm="sha256").hexdigest()


def _keep(record: IdempotencyRecord, response: Response, request: Request) -> Response:
    # What DRF has negotiated; it hands it to the response only after the view.
    renderer = request.accepted_renderer
    record.status = response.status_code
    record.body = renderer.render(response.data, request.accepted_media_type, {})
    record.headers = {name: response[name] for name in _REPLAYED_HEADERS if name in response}
    if record.body:
        # What the response says of its type before it is rendered is Django's default, HTML.
        record.headers["Content-Type"] = renderer.media_type
    record.save(update_fields=["status", "body", "headers"])
    return response


def _replay(record: IdempotencyRecord, digest: str) -> HttpResponse:
    if record.fingerprint != digest:
        raise KeyReused("this Idempotency-Key was used for another request")
    response = HttpResponse(bytes(record.body), status=record.status)
    del response["Content-Type"]
    for name, value in record.headers.items():
        response[name] = value
    response["Idempotency-Replayed"] = "true"
    return response
