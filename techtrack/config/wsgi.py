"""Django as a WSGI application: for granian in production, and mounted by asgi.py in the one-process set-up."""

from __future__ import annotations

import gc
import io
import os
import threading
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "techtrack.config.settings")

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from techtrack.config.front import Environ, Wsgi
from techtrack.core.errors import Invalid

# How many objects, and how many looks at the young and the older ones, make the garbage collector look. Seldomer at the
# older ones, and it stops everybody for a tenth of a second: what a request leaves behind is found at the second look.
GARBAGE = (20_000, 5, 80)


class Incomplete(Invalid):
    """The body is shorter than was said, or nobody said how long it is; what came might be good as it stands."""

    code = "incomplete_body"


class Complete:
    """Lets only bodies through of which all has arrived, for a server that would hand on what came of one cut off.

    granian does, and it cannot be told of a body in chunks: those are refused, and the proxy before it sends none.
    Bodies longer than ``limit`` are left to Django to refuse.
    """

    def __init__(self, application: Wsgi, *, limit: int) -> None:
        self._application, self._limit = application, limit

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if "HTTP_TRANSFER_ENCODING" in environ:
            return _refuse("a body in chunks is not read here: send its length", environ, start_response)
        declared = environ.get("CONTENT_LENGTH") or "0"
        if not (declared.isascii() and declared.isdigit()):
            return _refuse("the declared length of the body is no number", environ, start_response)
        length = int(declared)
        if 0 < length <= self._limit:
            body = environ["wsgi.input"].read(length)
            if len(body) < length:
                return _refuse("the body ended before its declared length", environ, start_response)
            environ["wsgi.input"] = io.BytesIO(body)
        return self._application(environ, start_response)


def _refuse(why: str, environ: Environ, start_response: Callable[..., Any]) -> list[bytes]:
    from techtrack.core.api import problems  # noqa: PLC0415 - DRF can only be read once Django is set up

    given = environ.get("HTTP_X_REQUEST_ID", "")
    status, headers, body = problems.early(Incomplete(why), instance=environ["PATH_INFO"], given=given)
    start_response(f"{status} {problems.TITLES[status]}", headers)
    return [body]


class Alone:
    """Serves Django in a process that serves nothing else: ``begin`` is called once, before its first request.

    Not on import: servers import in one process and serve in others, and threads do not survive the fork.
    """

    def __init__(self, application: Wsgi, begin: Callable[[], object]) -> None:
        self._application, self._begin = application, begin
        self._begun = False
        self._lock = threading.Lock()

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not self._begun:
            with self._lock:
                if not self._begun:
                    self._begin()
                    self._begun = True
        return self._application(environ, start_response)


def spare_garbage() -> None:
    """Let the garbage collector pass over what is loaded by now, and not look after every few hundred objects."""
    gc.freeze()
    gc.set_threshold(*GARBAGE)


def _begin() -> None:
    """Load what requests need, let other processes hear at once of what this one commits, and watch over them."""
    from techtrack.live.bus import bus  # noqa: PLC0415 - reads settings, which are ready once Django is set up
    from techtrack.pipeline import watchers  # noqa: PLC0415 - as above

    import_module(settings.ROOT_URLCONF)
    spare_garbage()
    bus.open()
    for loop in watchers(works=False, serves=True):
        loop.start()


django = get_wsgi_application()
application = Alone(Complete(django, limit=settings.MAX_BODY), _begin)
