"""The bus: processes tell each other that there is news, so that nobody has to look all the time.

A hint says of a topic up to which position there is something to read; what it is stands in rows. So nothing is lost
with a hint, and whoever waits for hints also looks without them: seldom while the bus is healthy, often otherwise.
"""

from __future__ import annotations

import json
import logging
import random
import secrets
import threading
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from time import monotonic

from techtrack.live.transports import Away, Line, Transport, chosen

EVERYBODY = "news"
# Hints of one process go out at most so often, in seconds; what comes meanwhile shares the next one.
SPACING = 0.05
# A process that listens writes to itself so often, and takes the bus for healthy while it hears that.
BEAT = 1.0
MISSED_BEATS = 2.5
SHORTEST_WAIT, LONGEST_WAIT = 0.1, 5.0
_log = logging.getLogger(__name__)

Listener = Callable[[int], object]


class Bus:
    """One process's end of the bus. Until ``open`` and without a transport it tells nothing and hears nothing."""

    def __init__(
        self, transport: Callable[[], Transport | None] = chosen, *, beat: float = BEAT, spacing: float = SPACING
    ) -> None:
        self._choose = transport
        self._beat, self._spacing = beat, spacing
        self._name = secrets.token_hex(8)
        self._listeners: dict[str, list[Listener]] = defaultdict(list)
        self._lock = threading.Lock()
        self._told: dict[str, int] = {}
        self._news = threading.Event()
        self._closed = threading.Event()
        self._transport: Transport | None = None
        self._threads: list[threading.Thread] = []
        self._echo = self._beaten = -float("inf")

    def hear(self, topic: str, *listeners: Listener) -> None:
        """Call ``listeners`` with the position when another process has news of ``topic``; they must not wait."""
        self._listeners[topic] += listeners

    def tell(self, topic: str, position: int) -> None:
        """Let the other processes know, soon; never waits and never fails. Safe from any thread."""
        if self._transport is not None:
            with self._lock:
                self._told[topic] = max(position, self._told.get(topic, position))
            self._news.set()

    @property
    def healthy(self) -> bool:
        """Whether what others tell can be relied on to arrive at once."""
        return monotonic() - self._echo < self._beat * MISSED_BEATS

    def open(self) -> None:
        """Begin to tell and to hear, if there is a way between processes; a second time changes nothing."""
        if self._threads:
            return
        self._transport = self._choose()
        if self._transport is not None:
            self._closed.clear()
            for name, work, channels in (
                ("bus out", self._send, ()),
                ("bus in", self._listen, (EVERYBODY, self._name)),
            ):
                thread = threading.Thread(target=self._keep, args=(work, *channels), name=name, daemon=True)
                self._threads.append(thread)
                thread.start()

    def close(self, *, timeout: float = 5) -> None:
        """End both; a connection that hangs is left to the end of the process."""
        self._transport = None
        self._closed.set()
        self._news.set()
        for thread in self._threads:
            thread.join(timeout)
        self._threads = []
        self._echo = -float("inf")

    def _keep(self, work: Callable[[Line], None], *channels: str) -> None:
        """Do ``work`` on a line again and again; when it breaks on a new one, after a while that grows."""
        transport, wait = self._transport, SHORTEST_WAIT
        while transport is not None and not self._closed.is_set():
            began = monotonic()
            try:
                with closing(transport.connect(*channels)) as line:
                    if channels:
                        self._look()
                    while not self._closed.is_set():
                        work(line)
            except Away as error:
                _log.debug("the bus is away: %s", error)
                if channels:
                    self._echo = -float("inf")
            wait = SHORTEST_WAIT if monotonic() - began > LONGEST_WAIT else min(wait * 2, LONGEST_WAIT)
            self._closed.wait(wait * random.uniform(0.5, 1))  # noqa: S311 - spreads those who come back

    def _send(self, line: Line) -> None:
        self._news.wait(self._beat)
        with self._lock:
            told, self._told = self._told, {}
            self._news.clear()
        if told:
            line.send(EVERYBODY, json.dumps([self._name, told]))
        if monotonic() - self._beaten >= self._beat:
            self._beaten = monotonic()
            line.send(self._name, "")
        if told:
            self._closed.wait(self._spacing)

    def _listen(self, line: Line) -> None:
        text = line.hear(self._beat)
        if text == "":
            self._echo = monotonic()
        elif text is not None:
            self._pass_on(text)

    def _pass_on(self, text: str) -> None:
        try:
            name, told = json.loads(text)
            told = {str(topic): int(position) for topic, position in told.items()}
        except (ValueError, TypeError, AttributeError):
            _log.debug("somebody else speaks on our channel: %.100r", text)
            return
        for topic, position in told.items() if name != self._name else ():
            self._call(topic, position)

    def _look(self) -> None:
        """After a time without hearing, there may be news of everything."""
        for topic in list(self._listeners):
            self._call(topic, 0)

    def _call(self, topic: str, position: int) -> None:
        for listener in self._listeners.get(topic, ()):
            try:
                listener(position)
            except Exception:  # noqa: BLE001
                # The last resort of a thread that must not die: what it passes on are only hints.
                _log.exception("a listener of the bus failed on %s", topic)


bus = Bus()
