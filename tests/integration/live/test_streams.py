"""Subscriptions: who gets what, in which order, once."""

from __future__ import annotations

import asyncio

import pytest

from techtrack.core import clock
from techtrack.live import jobs, services
from techtrack.live.models import LiveEvent
from techtrack.live.threads import in_thread


@pytest.fixture
def own(plant):
    """The alerts of the plant."""
    return f"sites/{plant.pk}/alerts"


@pytest.fixture
def foreign(other_site):
    """The alerts of the other site."""
    return f"sites/{other_site.pk}/alerts"


BAD_MESSAGES = [
    "",
    "{",
    "[" * 5000,
    '{"type": "ping", "type": "ping"}',
    '{"type": "ping", "id": NaN}',
    '{"type": "ping", "id": "\\u0000"}',
    '{"type": "ping", "id": "\\ud800"}',
    {"type": "dance"},
    {"type": 5},
    {"hello": 1},
    [1],
    5,
    {"type": "subscribe"},
    {"type": "subscribe", "topics": []},
    {"type": "subscribe", "topics": "alerts"},
    {"type": "subscribe", "topics": [7]},
    {"type": "subscribe", "topics": ["x" * 101]},
    {"type": "subscribe", "topics": ["alerts"] * 101},
    {"type": "subscribe", "topics": ["alerts"], "since": -1},
    {"type": "subscribe", "topics": ["alerts"], "since": 2**63},
    {"type": "subscribe", "topics": ["alerts"], "since": 10**400},
    {"type": "subscribe", "topics": ["alerts"], "since": True},
    {"type": "subscribe", "topics": ["alerts"], "since": "1"},
    {"type": "subscribe", "topics": ["alerts"], "form": 1},
    {"type": "subscribe", "topics": ["alerts"], "id": {}},
    {"type": "ping", "id": 10**400},
]


async def numbers(socket, count):
    return [(await socket.hear("alert"))["n"] for _ in range(count)]


class TestSubscribing:
    async def test_a_snapshot_comes_first_then_what_is_newer(self, connect, olga, plant, own, record):
        sequence = await record(own, 1)
        async with await connect(olga) as socket:
            answer = await socket.ask(type="subscribe", id="a", topics=[own])
            snapshot = {own: {"site": str(plant.pk)}}
            assert answer == {"type": "subscribed", "id": "a", "snapshot": snapshot, "sequence": sequence}
            following = await record(own, 2)
            assert await socket.hear() == {"type": "alert", "sequence": following, "n": 2}

    async def test_events_come_in_order_and_once(self, connect, olga, own, record):
        async with await connect(olga) as socket:
            await socket.ask(type="subscribe", topics=[own, "alerts"])
            await socket.ask(type="subscribe", topics=["alerts"])
            await asyncio.gather(*(record(own, number) for number in range(12)))
            frames = [await socket.hear("alert") for _ in range(12)]
            assert [frame["sequence"] for frame in frames] == sorted(frame["sequence"] for frame in frames)
            assert {frame["n"] for frame in frames} == set(range(12))
            assert await socket.quiet()

    async def test_what_happens_while_the_snapshot_is_read_is_told_once(self, connect, olga, own, record, looked):
        # The snapshot is read again after each event that came in between; the third one is exact.
        looked += [lambda: record.now(own, 1), lambda: record.now(own, 2)]
        async with await connect(olga) as socket:
            answer = await socket.ask(type="subscribe", topics=[own])
            assert answer["sequence"] == await in_thread(lambda: LiveEvent.objects.latest("sequence").sequence)
            assert await socket.quiet()

    async def test_on_a_busy_plant_nothing_is_missed(self, connect, olga, own, record, looked):
        looked += [lambda number=number: record.now(own, number) for number in range(5)]
        async with await connect(olga) as socket:
            answer = await socket.ask(type="subscribe", topics=[own])
            assert (await socket.hear("alert"))["sequence"] == answer["sequence"] + 1
            assert await socket.quiet()

    async def test_a_topic_subscribed_before_goes_on_when_another_is_added(self, connect, olga, own, record, looked):
        async with await connect(olga) as socket:
            await socket.ask(type="subscribe", topics=[own])
            looked += [lambda number=number: record.now(own, number) for number in range(5)]
            socket.say(type="subscribe", topics=["alerts"])
            frames = [await socket.hear() for _ in range(6)]
            assert sorted(frame["n"] for frame in frames if frame["type"] == "alert") == [0, 1, 2, 3, 4]
            assert await socket.quiet()

    async def test_all_alerts_are_those_of_the_sites_one_may_see(self, connect, olga, adam, own, foreign, record):
        async with await connect(olga) as socket, await connect(adam) as everywhere:
            for one in (socket, everywhere):
                await one.ask(type="subscribe", topics=["alerts"])
            for number, topic in enumerate([foreign, "sites/0/alerts", own]):
                await record(topic, number)
            assert await numbers(socket, 1) == [2]
            assert await numbers(everywhere, 3) == [0, 1, 2]
            assert await socket.quiet()

    async def test_unsubscribing_ends_it(self, connect, olga, own, record):
        async with await connect(olga) as socket:
            await socket.ask(type="subscribe", topics=[own])
            assert await socket.ask(type="unsubscribe", id=3, topics=[own, "alerts"]) == {
                "type": "unsubscribed",
                "id": 3,
            }
            await record(own)
            assert await socket.quiet()

    async def test_the_hub_rests_while_nobody_listens_and_starts_where_it_is(self, connect, olga, own, record, hub):
        for number in range(2):
            async with await connect(olga) as socket:
                await socket.ask(type="subscribe", topics=[own])
                await record(own, number)
                assert await numbers(socket, 1) == [number]
            await record(own, 99)
            assert (hub._members, dict(hub._by_topic), hub._polling) == (set(), {}, None)

    async def test_an_event_of_an_unknown_kind_holds_nothing_up(self, connect, olga, own, record):
        async with await connect(olga) as socket:
            await socket.ask(type="subscribe", topics=[own])
            await record("moons/1/phases")
            await record(own, 1)
            assert await numbers(socket, 1) == [1]

    async def test_a_feed_that_fails_is_read_again(self, connect, olga, own, record, readings, caplog):
        async with await connect(olga) as socket:
            await socket.ask(type="subscribe", topics=[own, "assets/7/readings"])
            whole, readings.rows = readings.rows, None
            await record(own, 1)
            assert await numbers(socket, 1) == [1]
            async with asyncio.timeout(10):
                # The failure shows in the log alone, and there is nothing there to wait for.
                while "a live feed failed" not in caplog.text:  # noqa: ASYNC110 - see above
                    await asyncio.sleep(0.01)
            readings.rows = whole
            readings.add(7, speed=1)
            assert (await socket.hear("reading"))["asset"] == 7


class TestResuming:
    async def test_what_was_missed_comes_first_and_in_order(self, connect, olga, own, foreign, record):
        first = await record(own, 1)
        for number, topic in ((2, own), (3, foreign), (4, own)):
            await record(topic, number)
        async with await connect(olga) as socket:
            answer = await socket.ask(type="subscribe", topics=[own], since=first)
            assert (answer["type"], answer["missed"]) == ("subscribed", 2)
            await record(own, 5)
            assert await numbers(socket, 3) == [2, 4, 5]

    async def test_of_all_alerts_only_those_one_may_see(self, connect, olga, own, foreign, record):
        for number, topic in ((1, own), (2, foreign), (3, own)):
            await record(topic, number)
        async with await connect(olga) as socket:
            socket.say(type="subscribe", topics=["alerts"], since=0)
            await socket.hear("subscribed")
            assert await numbers(socket, 2) == [1, 3]
            assert await socket.quiet()

    async def test_what_is_no_longer_kept_cannot_be_told(self, connect, olga, own, record):
        for number in range(3):
            await record(own, number)
        await in_thread(LiveEvent.objects.filter(sequence__lt=2).delete)
        async with await connect(olga) as socket:
            socket.say(type="subscribe", id="a", topics=[own], since=0)
            assert await socket.hear() == {"type": "resync", "id": "a"}
            assert (await socket.hear("subscribed"))["sequence"] == 3
            socket.say(type="subscribe", topics=[own], since=1)
            await socket.hear("subscribed")
            assert await numbers(socket, 2) == [1, 2]

    async def test_a_number_from_the_future_is_of_another_database(self, connect, olga, own, record):
        async with await connect(olga) as socket:
            assert (await socket.ask(type="subscribe", topics=[own], since=2**62))["type"] == "resync"

    async def test_nothing_missed_is_nothing_told(self, connect, olga, own, record):
        sequence = await record(own)
        await in_thread(LiveEvent.objects.all().delete)
        async with await connect(olga) as socket:
            assert (await socket.ask(type="subscribe", topics=[own], since=sequence))["type"] == "subscribed"
            assert await socket.quiet()

    def test_events_are_kept_for_a_day(self, record, own, transactional_db):
        record.now(own)
        assert services.forget_old(now=clock.now()) == 0
        assert services.forget_old(now=clock.now() + services.KEPT * 2) == 1

    def test_old_events_are_forgotten_in_parts_the_oldest_first(self, record, own, transactional_db, monkeypatch):
        for _ in range(5):
            record.now(own)
        monkeypatch.setattr(services, "FORGOTTEN_AT_ONCE", 2)
        monkeypatch.setattr(services, "KEPT", -services.KEPT)
        kept = list(LiveEvent.objects.order_by("pk").values_list("pk", flat=True))
        left = []
        while jobs.forget_old_events():
            left.append(list(LiveEvent.objects.order_by("pk").values_list("pk", flat=True)))
        assert left == [kept[2:], kept[4:]]
        assert not LiveEvent.objects.exists()


class TestRefusing:
    async def test_what_one_may_not_see(self, connect, olga, plant, other_site, record):
        own, foreign = f"sites/{plant.pk}/alerts", f"sites/{other_site.pk}/alerts"
        async with await connect(olga) as socket:
            for names, code in (
                ([foreign], "forbidden"),
                (["sites/999999/alerts"], "forbidden"),
                (["sites/0/alerts"], "forbidden"),
                ([own, foreign], "forbidden"),
                (["sites/x/alerts"], "not_found"),
                (["sites/01/alerts"], "not_found"),
                (["sites/1/alerts/"], "not_found"),
                (["sites/9999999999999999999/alerts"], "not_found"),
                (["moons"], "not_found"),
                ([""], "not_found"),
            ):
                answer = await socket.ask(type="subscribe", id="b", topics=names)
                assert (answer["type"], answer["id"], answer["code"]) == ("error", "b", code), names
            # All or nothing: the topic that would have been allowed is not subscribed either.
            await record(own)
            await record(foreign)
            assert await socket.quiet()

    async def test_a_bad_message_is_an_error_and_the_talk_goes_on(self, connect, olga):
        async with await connect(olga) as socket:
            for message in BAD_MESSAGES:
                socket.say(message)
                answer = await socket.hear("error")
                assert answer["code"] == "bad_message", message
                assert answer["detail"]
            assert (await socket.ask(type="ping"))["type"] == "pong"

    async def test_the_error_names_the_message(self, connect, olga):
        async with await connect(olga) as socket:
            answer = await socket.ask(type="subscribe", id="c", topics=[])
            assert answer["id"] == "c"

    async def test_binary_is_not_spoken(self, connect, olga):
        async with await connect(olga) as socket:
            socket.say_bytes(b"\xff")
            assert (await socket.hear("error"))["code"] == "bad_message"

    async def test_too_long_a_message_closes(self, connect, olga):
        async with await connect(olga) as socket:
            socket.say({"type": "ping", "id": "x" * 70_000})
            assert await socket.closing() == 1009

    async def test_a_socket_has_a_hundred_topics(self, connect, olga):
        async with await connect(olga) as socket:
            names = [f"assets/{number}/readings" for number in range(1, 101)]
            await socket.ask(type="subscribe", topics=names)
            assert (await socket.ask(type="subscribe", topics=["alerts"]))["code"] == "too_many_topics"
            assert (await socket.ask(type="subscribe", topics=names))["type"] == "subscribed"


class TestSlowReaders:
    async def test_get_the_newest_of_each_asset(self, connect, olga, readings):
        async with await connect(olga) as socket:
            await socket.ask(type="subscribe", topics=["sites/1/readings"])
            socket.reads.clear()
            for number in range(200):
                readings.add(number % 2, **{"speed" if number < 190 else "load": number})
                if number % 20 == 0:
                    await asyncio.sleep(0.05)
            await asyncio.sleep(0.2)
            socket.reads.set()
            heard = {}
            count = 0
            while not {("load", 198), ("load", 199)} <= {(k, v) for _, k, v in flat(heard)}:
                frame = await socket.hear("reading")
                heard.setdefault(frame["asset"], {}).update(frame["values"])
                count += 1
            assert count < 60
            assert heard == {0: {"speed": 188, "load": 198}, 1: {"speed": 189, "load": 199}}

    async def test_that_miss_events_are_closed(self, connect, olga, own, record):
        async with await connect(olga) as socket:
            await socket.ask(type="subscribe", topics=[own])
            socket.reads.clear()
            for number in range(45):
                await record(own, number)
            await asyncio.sleep(0.3)
            socket.reads.set()
            assert await socket.closing() == 1013

    async def test_do_not_hold_up_others(self, connect, olga, own, record):
        async with await connect(olga) as slow, await connect(olga) as quick:
            for one in (slow, quick):
                await one.ask(type="subscribe", topics=[own])
            slow.reads.clear()
            await record(own, 1)
            assert await numbers(quick, 1) == [1]

    async def test_and_all_others_hear_the_heart_beat(self, connect, olga):
        async with await connect(olga) as socket:
            assert await socket.hear("heartbeat") == {"type": "heartbeat"}


class TestWaking:
    async def test_an_event_is_told_at_once_when_the_hub_is_woken(self, hub, connect, olga, own, record):
        hub._every = 30
        async with await connect(olga) as socket:
            await socket.ask(type="subscribe", topics=[own])
            await asyncio.sleep(0.1)
            await record(own, 1)
            assert await socket.quiet()
            await in_thread(hub.wake, "the fact")
            assert await numbers(socket, 1) == [1]

    def test_waking_a_hub_that_rests_is_harmless(self, hub):
        hub.wake()


def flat(heard):
    return [(asset, name, value) for asset, values in heard.items() for name, value in values.items()]
