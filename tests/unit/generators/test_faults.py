"""Faults to order: they occur at the rates ordered, the same ones for the same seed, and each is what it is called."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from techtrack.demo.generators.faults import (
    GARBLED,
    LATEST,
    BadOrder,
    Mischief,
    Orders,
    Stretch,
    as_words,
    read_stretch,
)
from techtrack.demo.generators.places import machines
from techtrack.demo.generators.simulate import Plan, ticks
from techtrack.telemetry.domain.items import read_item

START = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
LATER = START + timedelta(days=1)


def arrived(orders: Orders, *, assets: int = 20, count: int = 500, seed: int = 1) -> tuple[list[list[dict]], Mischief]:
    """What arrives, tick by tick, of so many ticks a second apart."""
    plan = Plan(assets=assets, parameters=2, every=1.0, duration=count, orders=orders, seed=seed)
    mischief = Mischief(orders, seed=seed)
    return list(ticks(plan, machines(assets, interval=timedelta(seconds=1)), mischief, start=START)), mischief


def flat(arriving: list[list[dict]]) -> list[dict]:
    return [item for items in arriving for item in items]


def places(items: list[dict]) -> list[tuple[str, str]]:
    return [(item["asset"], item["timestamp"]) for item in items]


class TestWithoutOrders:
    def test_each_reading_arrives_once_in_its_tick(self):
        arriving, mischief = arrived(Orders())
        assert [len(items) for items in arriving] == [20] * 500 + [0]
        assert len(set(places(flat(arriving)))) == 10_000
        assert not as_words(mischief.made, Orders())


class TestRates:
    @pytest.mark.parametrize(("name", "counted"), [("late", "late"), ("duplicate", "sent twice"), ("bad", "bad")])
    @pytest.mark.parametrize("share", [0.01, 0.1])
    def test_are_what_was_ordered(self, name, counted, share):
        orders = Orders(**{name: share})
        _, mischief = arrived(orders)
        # Five standard deviations of 10,000 throws.
        tolerance = 5 * (10_000 * share * (1 - share)) ** 0.5
        assert as_words(mischief.made, orders) == {counted: pytest.approx(10_000 * share, abs=tolerance)}

    def test_the_same_seed_makes_the_same_faults(self):
        orders = Orders(late=0.1, duplicate=0.1, bad=0.1, spike=0.1)
        (first, _), (again, _), (other, _) = (arrived(orders, seed=seed, count=50) for seed in (1, 1, 2))
        assert first == again
        assert places(flat(first)) != places(flat(other))


class TestLate:
    def test_comes_after_its_time_and_at_last(self):
        arriving, mischief = arrived(Orders(late=0.2))
        assert len(flat(arriving)) == 10_000
        waited = [
            number - (datetime.fromisoformat(item["timestamp"]) - START).seconds
            for number, items in enumerate(arriving[:-1])
            for item in items
        ]
        assert max(waited) == LATEST
        assert sum(wait > 0 for wait in waited) + len(arriving[-1]) == mischief.made.late


class TestDuplicate:
    def test_is_the_same_reading_once_more(self):
        arriving, mischief = arrived(Orders(duplicate=0.1))
        items = flat(arriving)
        assert len(items) - len(set(places(items))) == mischief.made.duplicate > 0


class TestBad:
    def test_is_one_that_no_door_takes(self):
        arriving, mischief = arrived(Orders(bad=0.1))
        known = {machine.key for machine in machines(20, interval=timedelta(seconds=1))}

        def is_taken(item: dict) -> bool:
            read = read_item(item, names=("asset",), now=LATER, pointer="")
            return hasattr(read, "ref") and item["asset"] in known

        assert sum(not is_taken(item) for item in flat(arriving)) == mischief.made.bad > 0

    @pytest.mark.parametrize("garbled", GARBLED)
    def test_leaves_the_reading_itself_as_it_was(self, garbled):
        item = {"asset": "sim-0001", "timestamp": "2026-11-21T10:00:00Z", "values": {"a": 1.0}}
        before = {**item, "values": dict(item["values"])}
        assert garbled(item) != before
        assert item == before


class TestSpike:
    def test_is_one_value_ten_times_too_high(self):
        plain, _ = arrived(Orders(), count=50)
        spiked, mischief = arrived(Orders(spike=0.1), count=50)
        changed = [
            (before["values"][code], value)
            for before, after in zip(flat(plain), flat(spiked), strict=True)
            for code, value in after["values"].items()
            if value != before["values"][code]
        ]
        assert len(changed) == mischief.made.spike > 0
        assert all(after == pytest.approx(10 * before) for before, after in changed)


class TestStretches:
    def test_in_an_outage_nothing_is_measured(self):
        arriving, mischief = arrived(Orders(outages=(Stretch(2, 10, 5),)), count=30)
        times = [at for asset, at in places(flat(arriving)) if asset == "sim-0002"]
        assert mischief.made.outage == 10
        assert len(times) == 20
        assert "2026-11-21T10:00:04Z" in times
        assert "2026-11-21T10:00:05Z" not in times
        assert "2026-11-21T10:00:15Z" in times

    def test_a_stuck_machine_says_the_same_again_and_again(self):
        arriving, mischief = arrived(Orders(stuck=(Stretch(1, 20, 5),)), count=40)
        values = [tuple(item["values"].values()) for item in flat(arriving) if item["asset"] == "sim-0001"]
        assert len(set(values[5:25])) == 1
        assert len(set(values)) > 10
        assert mischief.made.stuck == 20

    @pytest.mark.parametrize(("text", "stretch"), [("3:60", Stretch(3, 60, 0)), ("1:0.5@10", Stretch(1, 0.5, 10))])
    def test_are_read_from_words(self, text, stretch):
        assert read_stretch(text) == stretch

    @pytest.mark.parametrize("text", ["", "3", "3:", "x:1", "0:10", "1:-5", "1:5@-1", "1:5@x"])
    def test_of_no_meaning_are_refused_in_a_sentence(self, text):
        with pytest.raises(BadOrder, match=r"MACHINE:SECONDS|count from 1"):
            read_stretch(text)


class TestPlan:
    @pytest.mark.parametrize(
        "plan",
        [
            Plan(assets=0),
            Plan(parameters=300),
            Plan(every=0),
            Plan(duration=-1),
            Plan(assets=2, orders=Orders(outages=(Stretch(3, 1, 0),))),
        ],
    )
    def test_that_cannot_be_carried_out_is_refused(self, plan):
        with pytest.raises(BadOrder):
            plan.check()
