"""Django as a WSGI application: for granian in production, and mounted by asgi.py in the one-process set-up."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "techtrack.config.settings")

from django.core.wsgi import get_wsgi_application

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Alone:
    """Serves Django in a process that serves nothing else: ``begin`` is called once, before its first request.

    Not on import: servers import in one process and serve in others, and threads do not survive the fork.
    """

    def __init__(self, application: Wsgi, begin: Callable[[], object]) -> None:
        self._application, self._begin = application, begin
        self._begun = False
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not self._begun:
            with self._lock:
                if not self._begun:
                    self._begin()
                    self._begun = True
        return self._application(environ, start_response)


def _tell_others() -> None:
    """Let other processes hear at once of what this one commits."""
    from techtrack.live.bus import bus  # noqa: PLC0415 - reads settings, which are ready once Django is set up

    bus.open()


django = get_wsgi_application()
application = Alone(django, _tell_others)
