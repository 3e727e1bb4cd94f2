"""The ASGI application: WebSocket and gateway natively, Django in a thread pool, the background loops beside them."""

from __future__ import annotations

import asyncio
import contextlib
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "techtrack.config.settings")

from django.conf import settings

from techtrack.config.front import AfterWrites, Bridge, Queue, Receive, Scope, Send, WholeBody
from techtrack.config.wsgi import django, spare_garbage
from techtrack.core.writes import writes
from techtrack.integrations.doors.gate import Gate
from techtrack.integrations.doors.gate import Limits as GateLimits
from techtrack.live.bus import bus
from techtrack.live.socket import application as live
from techtrack.pipeline import loops, watchers
from techtrack.telemetry.api.direct import Direct
from techtrack.telemetry.ingest.gateway import PATHS, Gateway, Limits
from techtrack.telemetry.ingest.writer import Writer

_queue = Queue(Bridge(django, workers=settings.WEB_CONCURRENCY), most=settings.WAITING_REQUESTS)
_whole = WholeBody(_queue, limit=settings.MAX_BODY, queue=_queue)
# What gateways and single units send at the same time shares a commit.
_writer = Writer()
_gateway = Gateway(
    _whole,
    Limits(
        body=settings.MAX_BODY,
        waiting_bytes=settings.INGEST_WAITING_BYTES,
        waiting_readings=settings.INGEST_WAITING_READINGS,
    ),
    _writer,
)
_direct = Direct(_whole, _gateway.callers, most=settings.WAITING_REQUESTS)
# A role that is taken away or a key that is revoked here is felt by the very next request, whichever process gets it.
_http = AfterWrites(_direct, writes.tell)
_gate = Gate(_http, _writer, GateLimits(waiting_readings=settings.INGEST_WAITING_READINGS))


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Route by protocol, and the fast door by its path."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif scope["type"] == "websocket":
        await live(scope, receive, send)
    elif scope["path"] in PATHS:
        await _gateway(scope, receive, send)
    else:
        await _gate(scope, receive, send)


async def _lifespan(receive: Receive, send: Send) -> None:
    works = settings.EMBEDDED_WORKERS
    running = [*(loops() if works else []), *watchers(works=works, serves=True)]
    await receive()
    spare_garbage()
    bus.open()
    for loop in running:
        loop.start()
    await send({"type": "lifespan.startup.complete"})
    # Cancelled: Ctrl-C came twice, and the server does not wait for us to say that we are done.
    with contextlib.suppress(asyncio.CancelledError):
        await receive()
    # First what was taken in: its commit is news to the loops.
    _gate.close()
    _gateway.close()
    _direct.close()
    for loop in running:
        loop.stop()
    bus.close()
    await send({"type": "lifespan.shutdown.complete"})
