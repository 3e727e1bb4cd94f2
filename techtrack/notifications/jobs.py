"""What goes on beside requests: telling groups of alerts, and sending what waits in the outbox."""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, connection, connections

from techtrack.core import clock, turns
from techtrack.core.jobs import wake
from techtrack.core.notes import Notes
from techtrack.notifications import queries, services
from techtrack.notifications.domain.transport import NotDelivered
from techtrack.notifications.models import LETTER, Delivery
from techtrack.notifications.transports import keeping

_log = logging.getLogger(__name__)
_random = random.SystemRandom()
# While it is written, others who write wait.
AT_ONCE = 10
# Most of them wait for a gateway that hangs.
MOST_THREADS = 48
# So long, in seconds, a channel may hang over a message before another of its kind may begin beside it.
SLOW = 1.0
# How long to wait, in seconds, before it is written down once more that a message was taken.
RECORD_PAUSES = (0.1, 1.0, 5.0)
# How often, in seconds, to look for notes of senders that are gone; a lease is much longer.
LOOK_EVERY = 1.0


def tell_due() -> bool:
    """Do one step of telling people; True where more waits."""
    return tell(now=clock.now())


def tell(*, now: datetime) -> bool:
    """Sort what is new, tell the groups that are due, let go what was held for long enough; True where more waits."""
    fresh = services.sort_notices()
    groups = queries.groups_due(now)
    for start in range(0, len(groups), AT_ONCE):
        _tell(groups[start : start + AT_ONCE], now)
    for channel in queries.channels_held(now):
        _let_go(channel, now)
    return bool(fresh) or len(groups) == queries.MOST_GROUPS


def _tell(groups: Sequence[int], now: datetime) -> None:
    """Tell groups together; where one of them cannot be told, each for itself."""
    try:
        services.tell_groups(pks=groups, now=now)
    except Exception:  # noqa: BLE001 - see below
        # One group that nobody foresaw, such as a template that breaks, must not keep the others from being told.
        _log.exception("groups %s cannot be told together", list(groups))
        for group in groups:
            _tell_one(group, now)


def _tell_one(group: int, now: datetime) -> None:
    """Tell a group that could not be told with others, where somebody may just have deleted what the message names."""
    try:
        services.tell_groups(pks=[group], now=now)
    except Exception as error:  # noqa: BLE001 - as above
        _log.exception("group %s cannot be told and is put off", group)
        services.put_off(pk=group, error=f"{type(error).__name__}: {error}"[: services.LONGEST_ERROR], now=now)


def _let_go(channel: int, now: datetime) -> None:
    try:
        services.release_held(channel=channel, now=now)
    except Exception:  # noqa: BLE001 - as above
        _log.exception("what is held for channel %s cannot be let go", channel)
        services.put_off_held(channel=channel, now=now)


def forget_old() -> bool:
    """Give up what waits for nothing, and delete a part of what was told long ago; True where more may be left."""
    services.give_up_switched_off(now=clock.now())
    if settings.SECRET_KEY_FALLBACKS and (count := services.reseal_channels()):
        _log.warning("the secrets of %s channels were sealed with an older key, and are now with SECRET_KEY", count)
    return bool(services.forget_old(now=clock.now()))


@dataclass
class _Run:
    """A thread that sends the messages of one channel; ``since`` is when it began with the one in hand."""

    thread: threading.Thread
    faring: str
    since: float = field(default_factory=time.monotonic)


class Sender:
    """Gives every channel with something to send a thread, for ``patience`` seconds of messages at a time.

    Channels that worked, that are new and that fail have ``most`` threads of their own each. One that hangs over a
    message for longer than ``slow`` makes room for the next, unless it is known to fail: however many mail servers
    hang, what works goes on. The threads are daemons, because killing one loses nothing: its lease runs out and the
    message is sent again under the same id.

    Between the other side's word and the commit of it, which may have to wait, a note in ``folder`` tells that a
    message was taken: a sender on this machine that lives, or starts, records it in place of the dead, and nothing is
    repeated.
    """

    def __init__(self, *, most: int = 8, patience: float = 5.0, slow: float = SLOW, folder: Path | None = None) -> None:
        self._most = most
        self._patience, self._slow = patience, slow
        self._runs: dict[int, _Run] = {}
        self._notes = Notes(folder or settings.HOME / "taken")
        self._looked = -math.inf
        self._unrecorded: dict[int, UUID] = {}

    def step(self) -> bool:
        """Start on what is due, and wait for nothing; True when there was anything that could be started."""
        self._catch_up()
        due = [(channel, faring) for channel, faring in queries.channels_due(clock.now()) if channel not in self._runs]
        started = 0
        for channel, faring in due:
            if self._has_room(faring):
                self._start(channel, faring)
                started += 1
        return started > 0

    def settle(self, timeout: float) -> bool:
        """Wait until nothing is being sent; tell whether that was so within ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        for run in list(self._runs.values()):
            run.thread.join(max(0.0, deadline - time.monotonic()))
        return not self._runs

    def _has_room(self, faring: str) -> bool:
        runs, limit = list(self._runs.values()), time.monotonic() - self._slow
        alike = [run for run in runs if run.faring == faring and (faring == queries.FAILING or run.since > limit)]
        return len(alike) < self._most and len(runs) < MOST_THREADS

    def _start(self, channel_id: int, faring: str) -> None:
        thread = threading.Thread(target=self._drain, args=[channel_id], name=f"send-{channel_id}", daemon=True)
        self._runs[channel_id] = _Run(thread, faring)
        try:
            thread.start()
        except RuntimeError:
            # The machine has no room for another: its turn comes when there is.
            del self._runs[channel_id]
            raise

    def _drain(self, channel_id: int) -> None:
        """Send until nothing is due, a message fails (the next would meet the same server), or others want a turn."""
        run, end = self._runs[channel_id], time.monotonic() + self._patience
        # The many who send hold up nobody who judges or tells.
        turns.be_patient()
        try:
            with keeping.run():
                delivery = services.claim_next(channel_id=channel_id, now=clock.now())
                while delivery is not None and _hand_over(delivery):
                    delivery = self._record(delivery, more=time.monotonic() < end)
                    run.since = time.monotonic()
        except Exception:  # noqa: BLE001 - see below
            # The last resort of a thread: what it had claimed is free again when its lease runs out.
            _log.exception("channel %s: sending stopped and will go on", channel_id)
        finally:
            connections.close_all()
            self._runs.pop(channel_id, None)
            # Whoever waits for the thread is started at once.
            wake("sender")()

    def _record(self, delivery: Delivery, *, more: bool) -> Delivery | None:
        """Record that a message was taken, and take the next of its channel if there is time for ``more``."""
        place = self._note(delivery)
        try:
            # What was taken is to be written down at once; all else can wait.
            with turns.hurried():
                following = _record_and_claim(delivery) if more else None
                if not more:
                    _record(delivery)
        except Exception:
            # A step does it, as soon as the database is back.
            if place is not None:
                self._unrecorded[place] = delivery.pk
            raise
        if place is not None:
            self._notes.strike(place)
        return following

    def _note(self, delivery: Delivery) -> int | None:
        try:
            return self._notes.add(str(delivery.pk))
        except OSError:
            # A disk that is full, or a folder that is not ours: where the process dies now, the message is repeated.
            _log.warning("delivery %s was taken, of which no note can be made", delivery.pk, exc_info=True)
            return None

    def _catch_up(self) -> None:
        """Record what was taken by threads that could not, and by processes that are gone."""
        if self._unrecorded:
            places = dict(self._unrecorded)
            services.record_taken(pks=places.values(), now=clock.now())
            for place in places:
                self._notes.strike(place)
                del self._unrecorded[place]
        if time.monotonic() > self._looked + LOOK_EVERY:
            self._looked = time.monotonic()
            try:
                for texts in self._notes.left_behind():
                    if count := services.record_taken(pks=list(_ids(texts)), now=clock.now()):
                        _log.warning("%s messages were taken before their sender died: recorded, not repeated", count)
            except OSError:
                # Sending goes on: without notes the messages of the dead are repeated, no more.
                _log.warning("the notes of senders that are gone cannot be read", exc_info=True)


def _ids(texts: Iterable[str]) -> Iterator[UUID]:
    """What is an id among notes; of a damaged disk anything may be read."""
    for text in texts:
        with suppress(ValueError):
            yield UUID(text)


def send(delivery: Delivery) -> bool:
    """Try a claimed delivery once and record how it went."""
    taken = _hand_over(delivery)
    if taken:
        _record(delivery)
    return taken


def _hand_over(delivery: Delivery) -> bool:
    """Try a claimed delivery once, outside any transaction; record a failure, and tell whether it was taken."""
    try:
        now, plant_now = clock.now(), clock.plant_now()
        if delivery.event == LETTER:
            delivery.answer = services.send_letter(delivery, now=now)
            return True
        if why := services.recheck(delivery=delivery, now=now):
            services.withdraw(delivery=delivery, why=why, now=now)
            return False
        transport = delivery.channel.transport()
        message = services.enclosed(queries.message_of(delivery), delivery, now=now, plant_now=plant_now)
        _lend_connection()
        delivery.answer = transport.send(message, str(delivery.pk)) or ""
    except NotDelivered as error:
        _failed(delivery, error)
        return False
    except Exception as error:  # noqa: BLE001 - see below
        # A transport may come from elsewhere, and its surprises must not end the thread with the row leased.
        _log.exception("delivery %s: the transport broke", delivery.pk)
        _failed(delivery, NotDelivered(f"{type(error).__name__}: {error}", retry=True))
        return False
    return True


def _lend_connection() -> None:
    """Let others use the connection while a gateway takes its time, where connections are pooled."""
    if connection.vendor == "postgresql" and not connection.in_atomic_block:
        connection.close()


def _record_and_claim(delivery: Delivery) -> Delivery | None:
    """Record that a message was taken, and take the next of its channel; None where that must wait."""
    try:
        return services.record_sent_and_claim(delivery=delivery, now=clock.now())
    except DatabaseError:
        _log.exception("delivery %s was taken, which could not be written down with the next", delivery.pk)
        _record(delivery)
        return None


def _record(delivery: Delivery) -> None:
    """Record that a message was taken, whatever the database does just now: who forgets it sends it again."""
    for pause in RECORD_PAUSES:
        try:
            return services.record_sent(delivery=delivery, now=clock.now())
        except DatabaseError:
            _log.exception("delivery %s was taken, which cannot be written down", delivery.pk)
            # The next attempt makes a new connection.
            connection.close()
            time.sleep(pause)
    return services.record_sent(delivery=delivery, now=clock.now())


def _failed(delivery: Delivery, failure: NotDelivered) -> None:
    _log.warning("delivery %s was not taken: %s", delivery.pk, failure.detail)
    services.record_failure(delivery=delivery, failure=failure, now=clock.now(), chance=_random.random())


_sender = Sender()


def send_due() -> bool:
    """Do one step of the sending loop; True when there was work."""
    return _sender.step()
