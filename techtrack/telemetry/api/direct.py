"""History and newest values as plain ASGI: the way through the framework costs more than the answer.

The views are the same, and so are their refusals; what is not plain goes to them by the long way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any
from urllib.parse import unquote_to_bytes

from django.http import HttpRequest, HttpResponseBase, QueryDict
from django.urls import URLPattern
from rest_framework import exceptions as drf
from rest_framework.request import Request

from techtrack.accounts.domain.access import Access
from techtrack.core.api import native
from techtrack.core.api.native import Answer, Application, Headers, NotOurs, Receive, Scope, Send
from techtrack.core.errors import Overloaded
from techtrack.telemetry.api.urls import urlpatterns
from techtrack.telemetry.ingest.callers import Callers
from techtrack.telemetry.ingest.threads import Threads

READERS = 4
# In work or in line for one of them; beyond it a question is refused at once.
MOST_WAITING = 100
LONGEST_REMEMBERED = 500
ROOMS = ("/api/history", "/api/latest", "/api/equipment/", "/api/sensors/")
_SHOWN = {b"content-type", b"content-length"}


class Direct:
    """The ASGI application; ``behind`` is the one that answers the rest."""

    def __init__(
        self,
        behind: Application,
        callers: Callers,
        routes: Iterable[URLPattern] = urlpatterns,
        *,
        most: int = MOST_WAITING,
    ) -> None:
        self._behind = behind
        self._callers = callers
        views = ((route, getattr(route.callback, "cls", None)) for route in routes)
        self._routes = [(route.pattern, view) for route, view in views if getattr(view, "direct", False)]
        self._threads = Threads(READERS, name="reading")
        self._most = most

    def close(self) -> None:
        """Finish what was begun."""
        self._threads.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith(ROOMS):
            try:
                headers, (route, view, named) = _plain(scope), self._found(scope["path"])
                work = partial(self._answered, scope, headers, view, named)
                await native.answer(scope, send, route=route, headers=headers, work=work)
            except NotOurs:
                pass
            else:
                return
        await self._behind(scope, receive, send)

    def _found(self, path: str) -> tuple[str, Any, Mapping[str, Any]]:
        whole = path if path.endswith("/") else f"{path}/"
        for pattern, view in self._routes:
            if found := pattern.match(whole[1:]):
                return str(pattern), view, found[2]
        raise NotOurs

    async def _answered(self, scope: Scope, headers: Headers, view: Any, named: Mapping[str, Any]) -> Answer:
        if self._threads.inside >= self._most:
            raise Overloaded
        visitor = await self._callers.visitor(headers, (scope.get("client") or ("", 0))[0])
        if visitor.access is None:
            raise NotOurs
        if not visitor.access.may_use(getattr(view, "door", "resources"), writing=False):
            raise drf.PermissionDenied
        request: Any = _request(scope, headers, visitor.access)
        # What is remembered is kept under what was asked: a long question is not worth its place.
        request.memory = visitor.memory if len(scope["query_string"]) <= LONGEST_REMEMBERED else None
        return await self._threads.run(_seen, view, request, named)


def _plain(scope: Scope) -> Headers:
    headers = native.read_headers(scope, method="GET")
    shown = b"authorization" in headers or b"x-api-key" in headers
    if not shown or b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0":
        raise NotOurs
    # Files are streamed, by threads of which there are only a few; however the word is written (%66ormat).
    if b"format" in unquote_to_bytes(scope["query_string"]):
        raise NotOurs
    return headers


def _request(scope: Scope, headers: Headers, access: Access) -> Request:
    plain: Any = HttpRequest()
    plain.method, plain.path = scope["method"], scope["path"]
    plain.GET = QueryDict(scope["query_string"])
    plain.META = {"HTTP_IF_NONE_MATCH": headers.get(b"if-none-match", b"").decode("latin-1")}
    request = Request(plain)
    request.auth = access
    return request


def _seen(view: Any, request: Request, named: Mapping[str, Any]) -> Answer:
    told: HttpResponseBase = view().get(request, **named)
    if told.streaming:
        told.close()
        raise NotOurs
    headers = [(name.lower().encode(), value.encode()) for name, value in told.items()]
    body: bytes = getattr(told, "content", b"")
    return Answer(told.status_code, body, [pair for pair in headers if pair[0] not in _SHOWN])
