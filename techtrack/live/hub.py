"""The hub: topics and their sockets in one process, told by feeds that it polls while anybody listens.

Polling rows is what makes several processes on one database work: whoever wrote them, each hub finds them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Iterable

from techtrack.accounts.domain.access import Access
from techtrack.live.feeds import Feed, News
from techtrack.live.outbox import Frame, Outbox
from techtrack.live.threads import in_thread
from techtrack.live.topics import Authorise, Snapshot, Topic, Topics, UnknownTopic

EVERY = 0.1
# Between two polls that both found news: bounds what a busy plant costs, far below what an eye notices.
PAUSE = 0.02
_log = logging.getLogger(__name__)


class Subscriber:
    """One socket as the hub sees it: what it may see, what it has subscribed to, what waits for it."""

    def __init__(self, access: Access, outbox: Outbox) -> None:
        self.access = access
        self.outbox = outbox
        self.names: set[str] = set()
        self.may_see: dict[str, bool] = {}
        # By topic the number that its snapshot holds: events up to it are not told again.
        self.floors: dict[str, int] = {}
        self._awaited: frozenset[str] = frozenset()
        self._held: list[tuple[str, Frame]] = []
        self._told: set[Frame] = set()
        self._last: Frame | None = None

    def offer(self, name: str, frame: Frame) -> None:
        """Queue a frame of topic ``name`` once, whatever number of its topics it belongs to."""
        if frame is self._last:
            return
        if name in self._awaited:
            self._held.append((name, frame))
        elif frame.sequence is None or frame.sequence > self.floors[name]:
            self._last = frame
            self.outbox.put(frame)
            if self._awaited:
                self._told.add(frame)

    def expect(self, names: frozenset[str]) -> None:
        """Hold the frames of ``names`` back until their snapshot has been read."""
        self._awaited = names

    def begin(self, first: list[Frame], sequence: int) -> None:
        """Queue ``first``, which tells all up to ``sequence``, then what was held back and is not in it."""
        for frame in first:
            self.outbox.put(frame)
        self.floors |= dict.fromkeys(self._awaited, sequence)
        self.settle()

    def settle(self) -> None:
        """Hold nothing back any more: of topics that are not subscribed it is dropped."""
        held, told = self._held, self._told
        self._awaited, self._held, self._told = frozenset(), [], set()
        for name, frame in held:
            if name in self.floors and frame not in told:
                told.add(frame)
                self.offer(name, frame)


class Hub:
    """Hands every frame to the subscribers of its topic. All but ``wake`` belongs to the event loop."""

    def __init__(self, *, every: float = EVERY, pause: float = PAUSE) -> None:
        self.topics = Topics()
        self._every = every
        self._pause = pause
        self._feeds: list[Feed] = []
        self._positions: list[int] = []
        self._members: set[Subscriber] = set()
        self._by_topic: dict[str, set[Subscriber]] = defaultdict(set)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news = asyncio.Event()
        self._starting = asyncio.Lock()
        self._polling: asyncio.Task[None] | None = None

    def register_topic(
        self, pattern: str, *, authorise: Authorise, snapshot: Snapshot | None = None, gathers: str = ""
    ) -> None:
        """Add a kind of topic (see ``topics.Topic``)."""
        self.topics.register(Topic(pattern, authorise, snapshot, gathers))

    def register_feed(self, feed: Feed) -> None:
        """Add a feed; call it before anybody connects."""
        self._feeds.append(feed)

    def wake(self, *_: object) -> None:
        """Poll at once; safe from any thread."""
        loop = self._loop
        if loop is not None:
            # It may be closing at this moment, and then nobody listens.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._news.set)

    async def join(self, subscriber: Subscriber) -> None:
        """Admit a socket; on return the hub knows from where on it tells."""
        self._members.add(subscriber)
        async with self._starting:
            loop = asyncio.get_running_loop()
            if self._loop is not loop:
                self._positions = [await in_thread(feed.position) for feed in self._feeds]
                self._loop, self._news = loop, asyncio.Event()
                self._polling = asyncio.create_task(self._poll())

    def leave(self, subscriber: Subscriber) -> None:
        """Forget a socket; with the last one the polling ends."""
        self.unsubscribe(subscriber, list(subscriber.names))
        self._members.discard(subscriber)
        if not self._members and self._polling is not None:
            self._polling.cancel()
            self._polling = self._loop = None
            self._starting = asyncio.Lock()

    def subscribe(self, subscriber: Subscriber, names: frozenset[str]) -> None:
        """Collect the frames of ``names`` from now on; the subscriber's ``begin`` releases them."""
        subscriber.expect(names)
        subscriber.names |= names
        for name in names:
            self._by_topic[name].add(subscriber)

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

    def wanted(self, subscriber: Subscriber, names: frozenset[str], topic: str) -> bool:
        """Tell whether a frame of ``topic`` is for a subscriber of ``names``."""
        return any(name == topic or self.may_see(subscriber, topic) for name in self.names_of(topic) if name in names)

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

    async def _poll(self) -> None:
        while True:
            self._news.clear()
            if await self._step():
                await asyncio.sleep(self._pause)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._every):
                    await self._news.wait()

    async def _step(self) -> bool:
        found = False
        for index, feed in enumerate(self._feeds):
            try:
                position, news = await in_thread(feed.since, self._positions[index])
                found |= position != self._positions[index]
                self._positions[index] = position
                self._hand_out(news)
            except Exception:  # noqa: BLE001
                # The last resort of a task that must not die: the cause is logged, the feed is read again.
                _log.exception("a live feed failed and will be tried again")
        return found

    def _hand_out(self, news: News) -> None:
        frame = None
        for topic, body in news:
            if frame is None or frame.body is not body:
                frame = Frame.news(body)
            for name in self.names_of(topic):
                for subscriber in list(self._by_topic.get(name, ())):
                    if name == topic or self.may_see(subscriber, topic):
                        subscriber.offer(name, frame)


hub = Hub()
