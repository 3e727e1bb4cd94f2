"""How often a series is told."""

from __future__ import annotations

import random

from techtrack.live.outbox import Frame
from techtrack.live.pacing import Pacing

TOPICS = ("readings",)


def reading(asset, at, **values):
    return TOPICS, Frame({"asset": asset, "values": values}, key=asset, at=at)


def told(news):
    return [(frame.body.get("asset"), frame.body.get("values")) for _, frame in news]


class TestPacing:
    def test_tells_the_first_at_once_and_what_follows_merged_in_its_turn(self):
        pacing = Pacing(0.25)
        assert told(pacing.admit([reading(1, 1, a=1)], 0.0)) == [(1, {"a": 1})]
        assert pacing.due() is None
        assert told(pacing.admit([reading(1, 2, a=2), reading(1, 3, b=3)], 0.1)) == []
        assert pacing.due() == 0.25
        assert told(pacing.admit([reading(2, 1, a=9)], 0.2)) == [(2, {"a": 9})]
        assert told(pacing.admit([], 0.25)) == [(1, {"a": 2, "b": 3})]
        assert told(pacing.admit([reading(1, 4, a=4)], 0.3)) == []
        assert told(pacing.admit([], 0.5)) == [(1, {"a": 4})]
        assert pacing.due() is None

    def test_an_event_never_waits(self):
        pacing = Pacing(0.25)
        event = (TOPICS, Frame({"type": "alert"}, sequence=1))
        for now in (0.0, 0.01, 0.02):
            assert pacing.admit([event], now) == [event]

    def test_what_was_told_long_ago_is_forgotten(self):
        pacing = Pacing(0.25)
        pacing.admit([reading(asset, 1, a=1) for asset in range(1000)], 0.0)
        pacing.admit([], 1.0)
        assert pacing._told == {}

    def test_nobody_is_told_faster_nor_misses_the_end(self):
        chance, pacing, times, newest = random.Random(7), Pacing(0.25), {}, {}
        now, said = 0.0, {}
        for number in range(5000):
            now += chance.random() * 0.05
            asset = chance.randrange(5)
            said[asset] = number
            for name, values in told(pacing.admit([reading(asset, number, a=number)], now)):
                assert now - times.get(name, -1.0) >= 0.25
                times[name], newest[name] = now, values["a"]
        for name, values in told(pacing.admit([], now + 1)):
            newest[name] = values["a"]
        assert newest == said
