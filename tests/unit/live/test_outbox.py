"""The outbox of one socket, without a socket."""

from __future__ import annotations

from techtrack.live.outbox import CAPACITY, SERIES, Frame, Outbox


def reading(asset, at, **values):
    body = {"type": "reading", "asset": asset, "timestamp": at, "values": values}
    return Frame(body, key=("reading", asset), at=at)


def event(sequence):
    return Frame({"type": "alert", "sequence": sequence}, sequence=sequence)


def drained(outbox):
    frames = []
    while frame := outbox.pop():
        frames.append(frame.body)
    return frames


class TestOutbox:
    def test_of_a_hundred_thousand_readings_keeps_the_newest_of_each_series(self):
        outbox = Outbox()
        for number in range(100_000):
            assert outbox.put(reading(number % 7, number, **{"speed" if number < 99_000 else "load": number}))
        assert len(outbox) == 7
        told = {frame["asset"]: frame for frame in drained(outbox)}
        for asset in range(7):
            newest = max(number for number in range(99_993, 100_000) if number % 7 == asset)
            speed = max(number for number in range(98_993, 99_000) if number % 7 == asset)
            assert told[asset]["timestamp"] == newest
            assert told[asset]["values"] == {"speed": speed, "load": newest}

    def test_a_late_reading_does_not_hide_the_newest(self):
        outbox = Outbox()
        outbox.put(reading(1, 20, speed=2.0))
        outbox.put(reading(1, 10, speed=1.0, load=5.0))
        assert drained(outbox) == [
            {"type": "reading", "asset": 1, "timestamp": 20, "values": {"speed": 2.0, "load": 5.0}}
        ]

    def test_merging_does_not_change_what_others_share(self):
        shared, outbox = reading(1, 1, speed=1.0), Outbox()
        outbox.put(shared)
        outbox.put(reading(1, 2, speed=2.0))
        assert shared.body["values"] == {"speed": 1.0}

    def test_takes_so_many_events_and_then_says_that_it_is_full(self):
        outbox = Outbox()
        assert all(outbox.put(event(number)) for number in range(CAPACITY))
        assert not outbox.put(event(CAPACITY))
        assert [frame["sequence"] for frame in drained(outbox)] == list(range(CAPACITY))

    def test_series_take_no_place_from_events(self):
        outbox = Outbox()
        assert all(outbox.put(reading(asset, 1, speed=1.0)) for asset in range(SERIES))
        assert not outbox.put(reading(SERIES, 1, speed=1.0))
        assert outbox.put(reading(0, 2, speed=2.0))
        assert all(outbox.put(event(number)) for number in range(CAPACITY))
        assert not outbox.put(event(CAPACITY))

    def test_after_it_was_emptied_a_series_waits_again(self):
        outbox = Outbox(series=1)
        for number in range(3):
            assert outbox.put(reading(number, number, speed=1.0))
            assert len(drained(outbox)) == 1

    def test_what_can_go_at_once_is_not_queued_and_nothing_overtakes(self):
        outbox, sent, full = Outbox(), [], False

        def at_once(frame):
            if not full:
                sent.append(frame.body["sequence"])
            return not full

        outbox.at_once = at_once
        outbox.put(event(1))
        full = True
        outbox.put(event(2))
        full = False
        outbox.put(event(3))
        assert sent == [1]
        assert [frame["sequence"] for frame in drained(outbox)] == [2, 3]
