"""One contract for every store: the memory twin and the log of segments answer alike."""

from __future__ import annotations

import random

import pytest
from django.db import transaction

from techtrack.telemetry.domain.reading import Batch, Kind, Origin, Row
from techtrack.telemetry.store.memory import MemoryStore
from techtrack.telemetry.store.segments import SegmentStore
from tests.factories import NOW

ASSETS = (1, 2, 3)
CODES = ("speed", "temperature")


def put(store, *rows, kind=Kind.READINGS, origin=Origin.LIVE):
    return store.append(Batch.of(Row(*row) for row in rows), kind=kind, origin=origin, now=NOW)


def rows_of(store):
    found = store.readings(ASSETS)
    everything = {asset: readings.between(-1000, 1000) for asset, readings in found.items()}
    return {
        asset: {int(time): readings.at(index) for index, time in enumerate(readings.times)}
        for asset, readings in everything.items()
        if len(readings.times)
    }


def write_at_random(stores, dice):
    """One random write, the same to every store."""
    kind = dice.choice([Kind.READINGS] * 6 + [Kind.REPLACE, Kind.PATCH, Kind.REMOVE])
    many = dice.randint(1, 6) if kind is Kind.READINGS else 1
    rows = []
    for _ in range(many):
        codes = [] if kind is Kind.REMOVE else dice.sample(CODES, dice.randint(1, 2))
        rows.append((dice.choice(ASSETS), dice.randint(1, 8), {code: dice.random() for code in codes}))
    for store in stores:
        put(store, *rows, kind=kind)


@pytest.fixture(params=[MemoryStore, SegmentStore], ids=["memory", "segments"])
def store(request, db):
    return request.param()


class TestStore:
    def test_gives_positions_that_rise(self, store):
        positions = [put(store, (1, at, {"speed": 1.0})) for at in range(3)]
        assert positions == sorted(set(positions))
        assert store.head() == positions[-1]

    def test_merges_by_parameter_and_lets_the_newest_write_win(self, store):
        put(store, (1, 5, {"speed": 1.0}), (1, 5, {"temperature": 2.0}))
        put(store, (1, 5, {"speed": 3.0}))
        assert rows_of(store) == {1: {5: {"speed": 3.0, "temperature": 2.0}}}

    def test_takes_late_readings_to_their_place(self, store):
        put(store, (1, 5, {"speed": 5.0}))
        assert rows_of(store) == {1: {5: {"speed": 5.0}}}
        put(store, (1, 3, {"speed": 3.0}), (1, 7, {"speed": 7.0}))
        assert list(rows_of(store)[1]) == [3, 5, 7]

    def test_calls_the_newest_event_the_latest_not_the_last_arrival(self, store):
        put(store, (1, 9, {"speed": 9.0}), (2, 1, {"speed": 1.0}))
        put(store, (1, 4, {"speed": 4.0, "temperature": 40.0}))
        latest = store.latest([1])
        assert {code: newest.value for code, newest in latest[1].items()} == {"speed": 9.0, "temperature": 40.0}
        assert store.latest([3]) == {}

    def test_forgets_one_asset_and_keeps_the_others(self, store):
        put(store, (1, 1, {"speed": 1.0}), (2, 1, {"speed": 2.0}))
        store.forget(1)
        assert type(store)().readings([1]) == {}
        kept = [row for entry in store.log(after=0, limit=10) for row in entry.batch.rows()]
        assert kept == [Row(2, 1, {"speed": 2.0})]

    def test_gives_the_log_in_order_and_by_pieces(self, store):
        positions = [put(store, (1, at, {"speed": float(at)}), origin=Origin.REPLAY) for at in range(4)]
        entries = store.log(after=positions[0], limit=2)
        assert [entry.position for entry in entries] == positions[1:3]
        assert {(entry.kind, entry.origin) for entry in entries} == {(Kind.READINGS, Origin.REPLAY)}


@pytest.mark.parametrize("seed", range(12))
def test_segments_agree_with_the_twin_after_any_history(db, seed):
    """Reads come between the writes, so that folds of every length are met."""
    dice, twin, segments = random.Random(seed), MemoryStore(), SegmentStore()
    for _ in range(25):
        write_at_random([twin, segments], dice)
        if dice.random() < 0.4:
            assert rows_of(segments) == rows_of(twin), f"seed {seed}"
    assert segments.latest(ASSETS) == twin.latest(ASSETS), f"seed {seed}"


@pytest.mark.django_db(transaction=True)
def test_a_view_is_not_misled_by_what_was_rolled_back():
    """What a transaction saw of its own write must not stay in the process when it is undone."""
    store = SegmentStore()
    put_committed(store, 1.0)
    with transaction.atomic():
        put(store, (1, 2, {"speed": 2.0}))
        assert len(rows_of(store)[1]) == 2
        transaction.set_rollback(True)
    assert rows_of(store) == {1: {1: {"speed": 1.0}}}
    put_committed(store, 3.0)
    assert rows_of(store) == {1: {1: {"speed": 3.0}}}


def put_committed(store, value):
    with transaction.atomic():
        put(store, (1, 1, {"speed": value}))
