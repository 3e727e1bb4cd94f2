"""The hub: topics and their sockets in one process, told by feeds that it reads while anybody listens.

What it tells stands in rows, whoever wrote them: it reads when this process has written, when the bus says that another
one has, and otherwise now and then.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Iterable

from django.db import connections

from techtrack.live.bus import Bus, bus
from techtrack.live.feeds import Feed
from techtrack.live.outbox import Frame
from techtrack.live.pacing import News, Pacing
from techtrack.live.subscriber import UNAVAILABLE, Subscriber
from techtrack.live.threads import OwnThread, in_thread
from techtrack.live.topics import Topics, UnknownTopic

# How often to look where nobody gives a hint, and where the bus does.
EVERY = 0.1
SELDOM = 1.0
# Between two readings that both found news at least so long, and as long as the last one took: a busy plant costs at
# most half of a core here, and far less than an eye notices in time.
PAUSE = 0.02
LONGEST_PAUSE = 0.25
# Deliveries after which other work of the event loop has its turn.
TURN = 200
_log = logging.getLogger(__name__)


class Hub:
    """Hands every frame to the subscribers of its topic. All but ``wake`` belongs to the event loop."""

    def __init__(self, bus: Bus, *, every: float = EVERY, seldom: float = SELDOM, pause: float = PAUSE) -> None:
        self.topics = Topics()
        self._bus = bus
        self._every = every
        self._seldom = seldom
        self._pause = pause
        self._pacing = Pacing()
        self._feeds: list[Feed] = []
        self._positions: list[int] = []
        self._members: set[Subscriber] = set()
        self._by_topic: dict[str, set[Subscriber]] = defaultdict(set)
        self._wanted: frozenset[str] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news = asyncio.Event()
        self._starting = asyncio.Lock()
        self._polling: asyncio.Task[None] | None = None
        self._reader: OwnThread | None = None

    def register_feed(self, feed: Feed) -> None:
        """Add a feed; call it before anybody connects."""
        self._feeds.append(feed)

    def wake(self, *_: object) -> None:
        """Look at once; safe from any thread."""
        loop = self._loop
        if loop is not None and not self._news.is_set():
            # It may be closing at this moment, and then nobody listens.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._news.set)

    @property
    def members(self) -> list[Subscriber]:
        """The sockets there are."""
        return list(self._members)

    async def join(self, subscriber: Subscriber) -> None:
        """Admit a socket; on return the hub knows from where on it tells."""
        self._members.add(subscriber)
        async with self._starting:
            loop = asyncio.get_running_loop()
            if self._loop is not loop:
                self._positions = [await in_thread(feed.position) for feed in self._feeds]
                self._reader = OwnThread("hub")
                self._loop, self._news = loop, asyncio.Event()
                self._polling = asyncio.create_task(self._follow())

    def leave(self, subscriber: Subscriber) -> None:
        """Forget a socket; with the last one the reading ends."""
        self.unsubscribe(subscriber, list(subscriber.names))
        self._members.discard(subscriber)
        if not self._members and self._polling is not None:
            self._polling.cancel()
            if self._reader is not None:
                self._reader.close()
            self._polling = self._loop = None
            self._starting = asyncio.Lock()
            self._pacing = Pacing()

    def subscribe(self, subscriber: Subscriber, names: frozenset[str]) -> None:
        """Collect the frames of ``names`` from now on; the subscriber's ``begin`` releases them."""
        subscriber.expect(names)
        subscriber.names |= names
        for name in names:
            self._by_topic[name].add(subscriber)
        self._wanted = None

    def abandon(self, subscriber: Subscriber) -> None:
        """Take back a ``subscribe`` that has not begun; topics that had been subscribed before go on."""
        subscriber.settle()
        self.unsubscribe(subscriber, [name for name in subscriber.names if name not in subscriber.floors])

    def unsubscribe(self, subscriber: Subscriber, names: Iterable[str]) -> None:
        """End what the subscriber gets of ``names``."""
        for name in names:
            subscriber.names.discard(name)
            subscriber.floors.pop(name, None)
            members = self._by_topic.get(name, set())
            members.discard(subscriber)
            if not members:
                self._by_topic.pop(name, None)
                self._wanted = None

    def wanted(self, subscriber: Subscriber, names: frozenset[str], topics: Iterable[str]) -> bool:
        """Tell whether a frame of ``topics`` is for a subscriber of ``names``."""
        return any(
            name == topic or self.may_see(subscriber, topic)
            for topic in topics
            for name in self.names_of(topic)
            if name in names
        )

    def names_of(self, topic: str) -> list[str]:
        """Return the subscriptions that get the frames of ``topic``: itself, and what gathers it."""
        try:
            kind, _ = self.topics.find(topic)
        except UnknownTopic:
            # Recorded by a newer or older version: nobody can have subscribed to it here.
            return []
        return [topic, *self.topics.gathering(kind.pattern)]

    def may_see(self, subscriber: Subscriber, topic: str) -> bool:
        """Tell whether a gathered frame of ``topic`` is for the subscriber; asked once for each topic."""
        if topic not in subscriber.may_see:
            kind, params = self.topics.find(topic)
            subscriber.may_see[topic] = kind.authorise(subscriber.access, params)
        return subscriber.may_see[topic]

    def _wishes(self) -> frozenset[str]:
        """What feeds are asked for: every topic with a subscriber, and the patterns that such a topic gathers."""
        if self._wanted is None:
            gathered = {pattern for name in self._by_topic for pattern in self.topics.find(name)[0].gathers}
            self._wanted = frozenset(self._by_topic) | gathered
        return self._wanted

    async def _follow(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            self._news.clear()
            began = clock()
            if await self._step():
                await asyncio.sleep(min(max(self._pause, clock() - began), LONGEST_PAUSE))
                continue
            patience = self._seldom if self._bus.healthy else self._every
            due = self._pacing.due()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience if due is None else min(patience, max(due - clock(), 0))):
                    await self._news.wait()

    async def _step(self) -> bool:
        """Read every feed once and hand out what it tells; tell whether one had something."""
        assert self._reader is not None  # noqa: S101 - it is made before this task
        before = list(self._positions)
        await self._hand_out(await self._reader.run(self._read, self._wishes()))
        return self._positions != before

    def _read(self, wanted: frozenset[str]) -> News:
        """Read every feed once; in the hub's own thread."""
        news: News = []
        for index, feed in enumerate(self._feeds):
            try:
                self._positions[index], more = feed.since(self._positions[index], wanted)
                news += more
            except Exception:  # noqa: BLE001
                # The last resort of a task that must not die: the cause is logged, the feed is read again.
                _log.exception("a live feed failed and will be tried again")
                connections.close_all()
        return news

    async def _hand_out(self, news: News) -> None:
        count = 0
        for topics, frame in self._pacing.admit(news, asyncio.get_running_loop().time()):
            for topic in topics:
                for name, subscriber in self._addressed(topic):
                    # Others had their turn meanwhile: it may have unsubscribed.
                    if name in subscriber.names:
                        self._offer(subscriber, name, frame)
                        count += 1
                        if count % TURN == 0:
                            await asyncio.sleep(0)

    def _addressed(self, topic: str) -> list[tuple[str, Subscriber]]:
        """Return who gets the frames of ``topic`` now, and as subscribers of which topic."""
        found: list[tuple[str, Subscriber]] = []
        for name in self.names_of(topic):
            members = self._by_topic.get(name, ())
            found += [(name, one) for one in members if name == topic or self._may_see(one, topic)]
        return found

    def _may_see(self, subscriber: Subscriber, topic: str) -> bool:
        try:
            return self.may_see(subscriber, topic)
        except Exception:  # noqa: BLE001 - as below
            _log.exception("nobody can say who may see %s; a socket is ended", topic)
            subscriber.end(UNAVAILABLE)
            return False

    def _offer(self, subscriber: Subscriber, name: str, frame: Frame) -> None:
        try:
            subscriber.offer(name, frame)
        except Exception:  # noqa: BLE001 - whatever it is, others wait for the same frame
            _log.exception("a socket cannot be told; it is ended")
            subscriber.end(UNAVAILABLE)


hub = Hub(bus)
