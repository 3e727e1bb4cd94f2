"""A hub with the alerts topics of two sites and a made-up feed of readings, and sockets to it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import transaction

from techtrack.accounts import services as accounts
from techtrack.accounts.domain.access import Role
from techtrack.core import clock
from techtrack.live import services
from techtrack.live.bus import Bus
from techtrack.live.feeds import LiveEventFeed
from techtrack.live.hub import Hub
from techtrack.live.outbox import Frame
from techtrack.live.pacing import News
from techtrack.live.socket import LiveSocket, Pace
from techtrack.live.threads import in_thread
from techtrack.live.topics import Topic
from tests.integration.live.asgi import Client

QUICK = Pace(patience=0.3, heartbeat=0.1, recheck=0.1, goodbye=1.0, capacity=40)


class Readings:
    """A feed in memory."""

    def __init__(self) -> None:
        self.rows: News = []

    def add(self, asset: int, **values: float) -> None:
        """Let an asset of site 1 tell its values."""
        body = {"type": "reading", "asset": asset, "values": values}
        topics = (f"assets/{asset}/readings", "sites/1/readings")
        self.rows.append((topics, Frame(body, key=asset, at=len(self.rows))))

    def position(self) -> int:
        return len(self.rows)

    def since(self, position: int, wanted: frozenset[str]) -> tuple[int, News]:
        return len(self.rows), self.rows[position:]


def may_see_site(access, place):
    return access.allows(Role.VIEWER, int(place["site"]) or None)


def anybody(access, place):
    return True


@pytest.fixture
def readings() -> Readings:
    """The made-up feed."""
    return Readings()


@pytest.fixture
def looked() -> list[Callable[[], None]]:
    """What happens while a snapshot is read: each is called once, in the thread that reads."""
    return []


@pytest.fixture
def hub(transactional_db, readings, looked) -> Hub:
    """A hub of its own."""

    def snapshot(access, place):
        if looked:
            looked.pop(0)()
        return {"site": place.get("site")}

    made = Hub(Bus(lambda: None), every=0.02, pause=0.001)
    made.topics.register(Topic("sites/{site}/alerts", may_see_site, snapshot))
    made.topics.register(Topic("alerts", anybody, snapshot, gathers=("sites/{site}/alerts",)))
    made.topics.register(Topic("assets/{asset}/readings", anybody))
    made.topics.register(Topic("sites/{site}/readings", anybody))
    made.register_feed(readings)
    made.register_feed(LiveEventFeed())
    return made


@pytest.fixture
def application(hub) -> LiveSocket:
    """The ASGI application under test, with short times."""
    return LiveSocket(hub, QUICK)


@pytest.fixture
def token():
    """``token(olga)``: an access token of a new session."""
    return lambda user: accounts.start_session(user=user, address="127.0.0.1", device="test", now=clock.now()).access


@pytest.fixture
def connect(application, token):
    """Open sockets that are authenticated by header, one for each call that is awaited."""

    async def opened(user, **scope) -> Client:
        text = await in_thread(token, user)
        return Client(application, (b"authorization", f"Bearer {text}".encode()), **scope)

    return opened


def tell(topic: str, number: int = 0) -> int:
    """Record an event as a service would; returns its sequence."""
    with transaction.atomic():
        return services.record(topics=[topic], payload={"type": "alert", "n": number}, now=clock.now())


@pytest.fixture
def record():
    """Record events: awaited in the event loop, as ``record.now`` in a thread."""

    async def recorded(topic: str, number: int = 0) -> int:
        return await in_thread(tell, topic, number)

    recorded.now = tell
    return recorded
