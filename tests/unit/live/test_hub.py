"""The hub while it hands out frames."""

from __future__ import annotations

import asyncio

import pytest

from techtrack.accounts.domain.access import internal
from techtrack.live.bus import Bus
from techtrack.live.hub import Hub
from techtrack.live.outbox import Frame, Outbox
from techtrack.live.subscriber import UNAVAILABLE, Subscriber
from techtrack.live.topics import Topic

TOPIC = "sites/1/alerts"
TOLD = [((TOPIC,), Frame({"type": "alert"}, sequence=1))]


class Broken(Outbox):
    """Something is wrong with the socket that nobody has thought of."""

    def put(self, frame: Frame) -> bool:
        raise RuntimeError("as nobody expected")


class Unknown(dict):
    """Nobody can look up what a socket may see."""

    def __contains__(self, topic: object) -> bool:
        raise RuntimeError("as nobody expected")


def may_see(access, place):
    return True


@pytest.fixture
def hub() -> Hub:
    """A hub with topics of alerts."""
    hub = Hub(Bus())
    hub.topics.register(Topic("sites/{site}/alerts", may_see))
    hub.topics.register(Topic("alerts", may_see, gathers=("sites/{site}/alerts",)))
    return hub


def subscriber(hub, topic, outbox=None):
    """A socket that has subscribed to a topic."""
    made = Subscriber(internal(), Outbox() if outbox is None else outbox)
    hub.subscribe(made, frozenset([topic]))
    made.begin([], 0)
    return made


class TestASocketThatFails:
    @pytest.mark.parametrize("topic", [TOPIC, "alerts"])
    def test_is_ended_and_all_others_are_told(self, topic, hub, caplog):
        sockets = [subscriber(hub, topic, Broken() if broken else None) for broken in (False, True, False)]
        asyncio.run(hub._hand_out(TOLD))
        assert [one.closing for one in sockets] == [None, UNAVAILABLE, None]
        assert [len(one.outbox) for one in sockets] == [1, 0, 1]
        assert "as nobody expected" in caplog.text

    def test_is_ended_where_nobody_can_say_what_it_may_see(self, hub, caplog):
        sockets = [subscriber(hub, "alerts"), subscriber(hub, "alerts")]
        sockets[1].may_see = Unknown()
        asyncio.run(hub._hand_out(TOLD))
        assert [one.closing for one in sockets] == [None, UNAVAILABLE]
        assert [len(one.outbox) for one in sockets] == [1, 0]
        assert "as nobody expected" in caplog.text
