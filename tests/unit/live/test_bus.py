"""The bus over a made-up transport that can be cut, stalled and filled with nonsense."""

from __future__ import annotations

import json
import queue
import threading
import time

import pytest

from techtrack.live.bus import EVERYBODY, Bus
from techtrack.live.transports import Away


class Ether:
    """All lines there are; ``broken`` cuts them and refuses new ones, ``stalled`` holds up whoever sends."""

    def __init__(self) -> None:
        self.lines = []
        self.sent = []
        self.connects = 0
        self.broken = False
        self.stalled = threading.Event()
        self.stalled.set()

    def connect(self, *channels):
        self.connects += 1
        if self.broken:
            raise Away("no route")
        line = Line(self, channels)
        self.lines.append(line)
        return line

    def spread(self, channel, text):
        self.sent.append((channel, text))
        for line in self.lines:
            if channel in line.channels:
                line.texts.put(text)


class Line:
    def __init__(self, ether, channels) -> None:
        self.ether, self.channels, self.texts = ether, channels, queue.Queue()

    def send(self, channel, text):
        self.ether.stalled.wait()
        if self.ether.broken:
            raise Away("broken pipe")
        self.ether.spread(channel, text)

    def hear(self, seconds):
        try:
            text = self.texts.get(timeout=min(seconds, 0.02))
        except queue.Empty:
            text = None
        if self.ether.broken:
            raise Away("reset by peer")
        return text

    def close(self):
        self.ether.lines.remove(self)


def until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.005)


@pytest.fixture
def ether():
    return Ether()


@pytest.fixture
def pair(ether):
    """Two processes' ends, both open; of the second, what it has heard of the topic log."""
    one, other = (Bus(lambda: ether, beat=0.05, spacing=0.02) for _ in range(2))
    heard = []
    other.hear("log", heard.append)
    for bus in (one, other):
        bus.open()
    until(lambda: one.healthy and other.healthy)
    yield one, other, heard
    ether.stalled.set()
    for bus in (one, other):
        bus.close()


class TestBus:
    def test_tells_the_others_and_not_itself(self, pair):
        one, _, heard = pair
        echo = []
        one.hear("log", echo.append)
        one.tell("log", 7)
        until(lambda: 7 in heard)
        assert echo == []

    def test_many_hints_share_few_messages_with_the_newest_position(self, pair, ether):
        one, _, heard = pair
        for position in range(1, 5001):
            one.tell("log", position)
            one.tell("events", 1)
        until(lambda: 5000 in heard)
        assert len([text for channel, text in ether.sent if channel == EVERYBODY]) < 500

    def test_costs_the_teller_nothing_while_nobody_takes_it(self, pair, ether):
        one, other, heard = pair
        ether.stalled.clear()
        for position in range(1, 100_001):
            one.tell("log", position)
        assert len(one._told) <= 1
        until(lambda: not other.healthy)
        ether.stalled.set()
        until(lambda: 100_000 in heard and other.healthy)

    def test_connects_again_and_looks_at_everything_then(self, pair, ether):
        one, other, heard = pair
        for _ in range(3):
            ether.broken = True
            until(lambda: not one.healthy and not other.healthy)
            one.tell("log", 3)
            heard.clear()
            ether.broken = False
            # What was told meanwhile may be lost: whoever waits for it is sent to look.
            until(lambda: 0 in heard and one.healthy and other.healthy)
        one.tell("log", 4)
        until(lambda: 4 in heard)

    def test_waits_longer_and_longer_for_one_that_stays_away(self, ether):
        ether.broken = True
        bus = Bus(lambda: ether, beat=0.05)
        bus.open()
        time.sleep(1)
        bus.close()
        assert ether.connects < 20
        assert not bus.healthy

    @pytest.mark.parametrize("text", ["x", "[]", "7", '["a", 7]', '["a", {"log": "x"}]', '["a", {"log": null}]', "{}"])
    def test_nonsense_on_the_channel_is_passed_over(self, pair, ether, text):
        one, _, heard = pair
        ether.spread(EVERYBODY, text)
        one.tell("log", 9)
        until(lambda: 9 in heard)

    def test_a_listener_that_fails_is_logged_and_the_others_hear(self, pair, caplog):
        one, other, heard = pair
        other._listeners["log"].insert(0, lambda _: 1 / 0)
        one.tell("log", 8)
        until(lambda: 8 in heard)
        assert "a listener of the bus failed on log" in caplog.text

    def test_speaks_of_topics_and_positions_alone(self, pair, ether):
        one, _, heard = pair
        one.tell("log", 7)
        until(lambda: 7 in heard)
        (text,) = [text for channel, text in ether.sent if channel == EVERYBODY]
        assert json.loads(text) == [one._name, {"log": 7}]

    def test_without_a_transport_or_before_it_is_open_is_silent(self):
        bus = Bus(lambda: None)
        bus.tell("log", 1)
        bus.open()
        bus.tell("log", 1)
        assert (bus.healthy, bus._threads, bus._told) == (False, [], {})
        bus.close()
