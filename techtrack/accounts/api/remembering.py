"""Who showed which credential a moment ago: what reads many times a second need not be asked each time."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from techtrack.accounts.services import Caller
from techtrack.core import clock
from techtrack.core.http import Handler
from techtrack.core.writes import writes

REMEMBERED = 2.0
MOST = 10_000
SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class Callers:
    """Callers by what they showed."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[float, Caller]] = {}
        self._state = writes.state

    def caller(self, name: bytes, ask: Callable[[], Caller | None]) -> Caller | None:
        """Return who showed ``name``, as remembered or else as ``ask`` says; its errors are not remembered."""
        if (state := writes.state) != self._state:
            self._state = state
            self.forget()
        # The dictionary of now: an answer that comes after ``forget`` goes where nobody looks.
        known, asked = self._known, time.monotonic()
        until, caller = known.get(name, (0.0, None))
        if caller is not None and asked < until and not _over(caller):
            return caller
        found = ask()
        if found is not None:
            if len(known) >= MOST:
                known.clear()
            known[name] = (asked + REMEMBERED, found)
        return found

    def forget(self) -> None:
        """Ask anew from now on."""
        self._known = {}


def _over(caller: Caller) -> bool:
    return caller.until is not None and caller.until <= clock.now()


callers = Callers()


class ForgetCallersMiddleware:
    """Forgets the callers after whatever may have changed what they may do."""

    def __init__(self, get_response: Handler) -> None:
        self._next = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method in SAFE:
            return self._next(request)
        try:
            return self._next(request)
        finally:
            callers.forget()
