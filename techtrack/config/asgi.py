"""The ASGI application: the WebSocket natively, Django in a thread pool, the background loops beside them."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import Any, cast

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "techtrack.config.settings")

from a2wsgi import WSGIMiddleware
from django.conf import settings

from techtrack.config.front import Receive, Scope, Send, WholeBody
from techtrack.config.wsgi import application as django
from techtrack.live.socket import application as live
from techtrack.pipeline import loops

# The bridge's annotations name one message at a time; what it takes and sends is plain ASGI.
_django: Any = WSGIMiddleware(cast("Any", django), workers=settings.WEB_CONCURRENCY)
_http = WholeBody(_django, limit=settings.MAX_BODY)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Route by protocol."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif scope["type"] == "websocket":
        await live(scope, receive, send)
    else:
        await _http(scope, receive, send)


async def _lifespan(receive: Receive, send: Send) -> None:
    running = loops() if settings.EMBEDDED_WORKERS else []
    await receive()
    for loop in running:
        loop.start()
    await send({"type": "lifespan.startup.complete"})
    # Cancelled: Ctrl-C came twice, and the server does not wait for us to say that we are done.
    with contextlib.suppress(asyncio.CancelledError):
        await receive()
    for loop in running:
        loop.stop()
    await send({"type": "lifespan.shutdown.complete"})
