"""Sends what waits in the outbox: channels side by side, the messages of one channel one after another."""

from __future__ import annotations

import logging
import random
import threading
import time

from django.db import connections

from techtrack.core import clock
from techtrack.notifications import queries, services
from techtrack.notifications.domain.message import Message
from techtrack.notifications.domain.transport import NotDelivered, build
from techtrack.notifications.models import Delivery

_log = logging.getLogger(__name__)
_random = random.SystemRandom()


class Sender:
    """Gives every channel with something to send a thread, ``most`` at a time.

    A step waits ``patience`` seconds for its threads and no longer: a mail server that hangs keeps its own
    channel waiting, and nobody else's. The threads are daemons, because killing one loses nothing: its
    lease runs out and the message is sent again under the same id.
    """

    def __init__(self, *, most: int = 8, patience: float = 5.0) -> None:
        self._most = most
        self._patience = patience
        self._busy: set[int] = set()

    def step(self) -> bool:
        """Start on what is due; True when there was anything that could be started."""
        waiting = [channel for channel in queries.channels_due(clock.now()) if channel not in self._busy]
        threads = [self._start(channel) for channel in waiting[: self._most - len(self._busy)]]
        deadline = time.monotonic() + self._patience
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return bool(threads)

    def _start(self, channel_id: int) -> threading.Thread:
        thread = threading.Thread(target=self._drain, args=[channel_id], name=f"send-{channel_id}", daemon=True)
        self._busy.add(channel_id)
        thread.start()
        return thread

    def _drain(self, channel_id: int) -> None:
        """Send until nothing is due or one message fails: the next would wait for the same server."""
        try:
            while delivery := services.claim_next(channel_id=channel_id, now=clock.now()):
                if not send(delivery):
                    break
        finally:
            connections.close_all()
            self._busy.discard(channel_id)


def send(delivery: Delivery) -> bool:
    """Try a claimed delivery once, outside any transaction, and record how it went."""
    try:
        transport = build(delivery.channel.kind, delivery.channel.config)
        transport.send(Message(delivery.subject, delivery.body), str(delivery.pk))
    except NotDelivered as error:
        _failed(delivery, error.detail, retry=error.retry)
        return False
    except Exception as error:  # noqa: BLE001 - see below
        # A transport may come from elsewhere, and its surprises must not end the thread with the row leased.
        _log.exception("delivery %s: the transport broke", delivery.pk)
        _failed(delivery, f"{type(error).__name__}: {error}", retry=True)
        return False
    services.record_sent(delivery=delivery, now=clock.now())
    return True


def _failed(delivery: Delivery, detail: str, *, retry: bool) -> None:
    _log.warning("delivery %s was not taken: %s", delivery.pk, detail)
    services.record_failure(delivery=delivery, error=detail, retry=retry, now=clock.now(), chance=_random.random())


_sender = Sender()


def send_due() -> bool:
    """Do one step of the sending loop; True when there was work."""
    return _sender.step()
