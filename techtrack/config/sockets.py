"""How uvicorn holds WebSockets: it asks in time whether the other side is there, and lets go of one that is not."""

from __future__ import annotations

import asyncio
from typing import Any

from django.conf import settings
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

# Parts of a heartbeat: when to ask a quiet client, and how long to wait for its answer. Together a half-open socket is
# found within 1.15 heartbeats: 23 s. uvicorn's own are 20 s and 20 s.
ASK, ANSWER = 0.65, 0.5


class LiveProtocol(WebSocketsSansIOProtocol):
    """The cheapest per frame of uvicorn's three, as measured."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.ping_interval = settings.LIVE_HEARTBEAT * ASK
        self.ping_timeout = settings.LIVE_HEARTBEAT * ANSWER

    def keepalive_timeout(self) -> None:
        """Let go at once: closing in good order would wait for what the other side does not take."""
        super().keepalive_timeout()
        self.transport.abort()

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """Wait for what is still to be sent, but not for ever."""
        super().on_task_complete(task)
        self.loop.call_later(self.close_timeout, self.transport.abort)
