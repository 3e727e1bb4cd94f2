"""One contract for every store: the memory twin, the log alone, and the log with compaction between any two steps."""

from __future__ import annotations

import random
import struct

import numpy as np
import pytest
from django.db import transaction

from techtrack.telemetry.domain.quality import Mark, Quality
from techtrack.telemetry.domain.reading import Batch, Kind, Origin, Row
from techtrack.telemetry.store.base import Growth
from techtrack.telemetry.store.compaction import compact
from techtrack.telemetry.store.database import DatabaseStore
from techtrack.telemetry.store.memory import MemoryStore
from tests.campaigns.agreement import HOUR, differences, hours_of
from tests.factories import NOW

ASSETS = (1, 2, 3)
CODES = ("speed", "temperature")


class CompactingStore(DatabaseStore):
    """The database store, whose log is folded into chunks after every write."""

    def append(self, batch, *, kind, origin, now):
        return self._folded(super().append(batch, kind=kind, origin=origin, now=now))

    def mark(self, marks, *, grown=(), now):
        return self._folded(super().mark(marks, grown=grown, now=now))

    def forget(self, asset, *, now):
        return self._folded(super().forget(asset, now=now))

    def _folded(self, position):
        compact(NOW, force=True)
        return position


class SometimesCompactingStore(CompactingStore):
    """The same, but only after every other write: answers are made of chunks and log."""

    writes = 0

    def _folded(self, position):
        self.writes += 1
        return super()._folded(position) if self.writes % 2 else position


def put(store, *rows, kind=Kind.READINGS, origin=Origin.LIVE):
    # Ready beforehand, as the doors do it; the other writes below leave that to the store.
    return store.append(store.packed(Batch.of(Row(*row) for row in rows)), kind=kind, origin=origin, now=NOW)


def take_out(store, asset, time):
    batch = Batch(np.array([asset], np.int64), np.array([time], np.int64), {})
    return store.append(batch, kind=Kind.REMOVE, origin=Origin.LIVE, now=NOW)


def say(store, quality, start, end, *, asset=1, code=None):
    return store.mark([Mark(asset, code, start, end, quality)], now=NOW)[0]


def doubt(store, quality, start, end, *, flag):
    return store.mark([Mark(1, "speed", start, end, quality, flag)], now=NOW)[0]


def grow(store, start, end, position):
    return store.mark([], grown=[Growth(Mark(1, "speed", start, end, Quality.BAD, "stuck"), position)], now=NOW)


def rows_of(store, span=(-(10**15), 10**15)):
    return {
        asset: {int(time): readings.at(index) for index, time in enumerate(readings.times)}
        for asset, readings in store.readings(ASSETS, span=span).items()
    }


def statistics(store, *edges, asset=1, code="speed", codes=()):
    return store.statistics([asset], codes=codes, edges=np.array(edges, np.int64)).get((asset, code))


@pytest.fixture(
    params=[MemoryStore, DatabaseStore, SometimesCompactingStore, CompactingStore],
    ids=["memory", "log", "log and chunks", "chunks"],
)
def store(request, db):
    return request.param()


class TestAppending:
    def test_gives_positions_that_rise(self, store):
        positions = [put(store, (1, at, {"speed": 1.0})) for at in range(3)]
        assert positions == sorted(set(positions))
        assert store.head() == positions[-1]

    def test_merges_by_parameter_and_lets_the_newest_write_win(self, store):
        put(store, (1, 5, {"speed": 1.0}), (1, 5, {"temperature": 2.0}))
        put(store, (1, 5, {"speed": 3.0}))
        assert rows_of(store) == {1: {5: {"speed": 3.0, "temperature": 2.0}}}

    def test_takes_the_later_of_two_writes_in_one_batch(self, store):
        put(store, (1, 5, {"speed": 1.0}), (1, 4, {"speed": 0.0}), (1, 5, {"speed": 2.0}))
        assert rows_of(store) == {1: {4: {"speed": 0.0}, 5: {"speed": 2.0}}}

    def test_changes_nothing_when_the_same_is_sent_again(self, store):
        batch = [(1, 5, {"speed": 1.0}), (2, HOUR, {"temperature": 2.0})]
        put(store, *batch)
        before = rows_of(store)
        put(store, *batch)
        assert rows_of(store) == before
        assert statistics(store, 0, HOUR)["count"].tolist() == [1]

    def test_takes_late_readings_to_their_place(self, store):
        put(store, (1, 5, {"speed": 5.0}))
        assert rows_of(store) == {1: {5: {"speed": 5.0}}}
        put(store, (1, 3, {"speed": 3.0}), (1, 7, {"speed": 7.0}))
        assert list(rows_of(store)[1]) == [3, 5, 7]

    def test_keeps_every_bit(self, store):
        odd = [-0.0, 0.0, 5e-324, -5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 0.1, -1e15, 1e15 + 0.3]
        put(store, *((1, at, {"speed": value}) for at, value in enumerate(odd)))
        found = store.readings([1])[1].columns["speed"].tolist()
        assert [struct.pack("<d", value) for value in found] == [struct.pack("<d", value) for value in odd]

    def test_keeps_hours_before_1970_and_their_borders(self, store):
        times = [-HOUR - 1, -HOUR, -1, 0, 1, HOUR - 1, HOUR]
        put(store, *((1, time, {"speed": float(time)}) for time in times))
        assert list(rows_of(store)[1]) == times
        assert statistics(store, *range(-2 * HOUR, 3 * HOUR, HOUR))["count"].tolist() == [1, 2, 3, 1]


class TestCorrecting:
    def test_replaces_a_whole_reading(self, store):
        put(store, (1, 5, {"speed": 1.0, "temperature": 2.0}))
        put(store, (1, 5, {"speed": 9.0}), kind=Kind.REPLACE)
        assert rows_of(store) == {1: {5: {"speed": 9.0}}}

    def test_is_not_undone_by_a_device_that_sends_again(self, store):
        put(store, (1, 5, {"speed": 1.0}), (1, 6, {"speed": 1.0}), (1, 7, {"speed": 1.0}))
        put(store, (1, 5, {"speed": 9.0}), kind=Kind.REPLACE)
        put(store, (1, 6, {"speed": 9.0}), kind=Kind.PATCH)
        take_out(store, 1, 7)
        put(store, *((1, at, {"speed": 1.0, "temperature": 2.0}) for at in (5, 6, 7)))
        assert rows_of(store) == {1: {5: {"speed": 9.0}, 6: {"speed": 9.0, "temperature": 2.0}}}

    def test_can_be_corrected_again(self, store):
        put(store, (1, 5, {"speed": 1.0}))
        take_out(store, 1, 5)
        put(store, (1, 5, {"speed": 2.0}), kind=Kind.REPLACE)
        put(store, (1, 5, {"temperature": 3.0}), kind=Kind.PATCH)
        put(store, (1, 5, {"speed": 0.0, "temperature": 0.0}))
        assert rows_of(store) == {1: {5: {"speed": 2.0, "temperature": 3.0}}}

    def test_holds_for_a_look_at_that_one_moment(self, store):
        put(store, (1, 5, {"speed": 1.0}), (1, HOUR - 1, {"speed": 2.0}))
        take_out(store, 1, HOUR - 1)
        put(store, (1, HOUR - 1, {"speed": 2.0}))
        assert rows_of(store, (HOUR - 1, HOUR)) == {}
        assert statistics(store, HOUR - 1, HOUR) is None

    def test_takes_a_removed_reading_out_of_every_answer(self, store):
        put(store, (1, 5, {"speed": 1.0}), (1, 6, {"speed": 2.0}), (2, 5, {"speed": 3.0}))
        take_out(store, 1, 6)
        take_out(store, 2, 5)
        assert rows_of(store) == {1: {5: {"speed": 1.0}}}
        assert {asset: latest["speed"].value for asset, latest in store.latest(ASSETS).items()} == {1: 1.0}
        assert statistics(store, 0, HOUR)["last"].tolist() == [1.0]
        assert statistics(store, 0, HOUR, asset=2) is None


class TestLatest:
    def test_is_the_newest_event_not_the_last_arrival(self, store):
        put(store, (1, 9, {"speed": 9.0}), (2, 1, {"speed": 1.0}))
        put(store, (1, 4, {"speed": 4.0, "temperature": 40.0}))
        assert store.latest([1]) == {1: {"speed": (9, 9.0), "temperature": (4, 40.0)}}
        assert store.latest([3]) == {}

    def test_falls_back_when_the_newest_is_removed_or_replaced_without_it(self, store):
        put(store, (1, 1, {"speed": 1.0, "temperature": 1.0}), (1, HOUR, {"speed": 2.0, "temperature": 2.0}))
        put(store, (1, 2 * HOUR, {"speed": 3.0}))
        take_out(store, 1, 2 * HOUR)
        assert store.latest([1])[1]["speed"] == (HOUR, 2.0)
        put(store, (1, HOUR, {"speed": 2.5}), kind=Kind.REPLACE)
        assert store.latest([1]) == {1: {"speed": (HOUR, 2.5), "temperature": (1, 1.0)}}

    def test_is_not_what_was_removed_and_is_sent_again(self, store):
        put(store, (2, HOUR - 1, {"speed": 0.0}), (1, 0, {"speed": 0.0}))
        take_out(store, 2, HOUR - 1)
        put(store, (2, HOUR - 1, {"speed": 0.0}), (1, 0, {"speed": 0.0}))
        assert list(store.latest(ASSETS)) == [1]
        take_out(store, 1, 0)
        put(store, (2, HOUR - 1, {"speed": 0.0}), (1, 0, {"speed": 0.0}))
        assert store.latest(ASSETS) == {}

    def test_says_a_bad_value_too(self, store):
        put(store, (1, 9, {"speed": 9.0}))
        say(store, Quality.BAD, 0, 10)
        assert store.latest([1])[1]["speed"].value == 9.0


class TestMarking:
    def test_covers_what_is_there_and_what_comes_late_from_start_to_before_end(self, store):
        put(store, *((1, at, {"speed": float(at)}) for at in (9, 10, 20)))
        say(store, Quality.BAD, 10, 20)
        put(store, (1, 15, {"speed": 15.0}), (2, 15, {"speed": 15.0}))
        found = store.readings(ASSETS)
        assert found[1].quality("speed").tolist() == [0, 2, 2, 0]
        assert found[2].quality("speed").tolist() == [0]

    def test_lets_the_last_mark_say_it(self, store):
        put(store, *((1, at, {"speed": 1.0, "temperature": 1.0}) for at in range(5)))
        say(store, Quality.MISSING, 0, 5)
        say(store, Quality.GOOD, 1, 3, code="speed")
        say(store, Quality.SUSPECT, 2, 4)
        found = store.readings([1])[1]
        assert found.quality("speed").tolist() == [3, 0, 1, 1, 3]
        assert found.quality("temperature").tolist() == [3, 3, 1, 1, 3]

    def test_lets_a_person_say_it_before_tests_and_the_gravest_of_those(self, store):
        put(store, *((1, at, {"speed": float(at)}) for at in range(6)))
        say(store, Quality.GOOD, 1, 2)
        doubt(store, Quality.BAD, 0, 4, flag="range")
        doubt(store, Quality.SUSPECT, 3, 5, flag="rate")
        assert store.readings([1])[1].quality("speed").tolist() == [2, 0, 2, 2, 1, 0]
        assert statistics(store, 0, HOUR)["total"].tolist() == [1.0 + 4.0 + 5.0]
        say(store, Quality.GOOD, 2, 3)
        assert statistics(store, 0, HOUR)["total"].tolist() == [1.0 + 2.0 + 4.0 + 5.0]

    def test_lets_the_mark_of_a_test_grow_and_never_shrink(self, store):
        put(store, *((1, at, {"speed": float(at)}) for at in range(6)))
        position = doubt(store, Quality.BAD, 0, 2, flag="stuck")
        said = say(store, Quality.GOOD, 3, 4)
        for end in (5, 4):
            assert grow(store, 2, end, position) == []
        assert store.readings([1])[1].quality("speed").tolist() == [2, 2, 2, 0, 2, 0]
        assert statistics(store, 0, HOUR)["total"].tolist() == [3.0 + 5.0]
        # What a person said is no test's to change.
        grow(store, 4, 6, said)
        assert store.readings([1])[1].quality("speed").tolist() == [2, 2, 2, 0, 2, 0]

    def test_lets_no_mark_of_an_asset_grow_that_is_gone(self, store):
        store.forget(1, now=NOW)
        # A test that was under way when the asset was deleted.
        position = doubt(store, Quality.BAD, 0, 2, flag="stuck")
        grow(store, 2, 5, position)
        assert store.head() == position

    def test_lays_many_marks_at_once(self, store):
        put(store, *((asset, at * HOUR, {"speed": float(at)}) for asset in (1, 2) for at in range(6)))
        marks = [
            Mark(asset, "speed", at * HOUR, at * HOUR + 1, Quality.BAD, "range") for at in (0, 3) for asset in (2, 1)
        ]
        positions = store.mark(marks, now=NOW)
        assert len(set(positions)) == len(marks)
        for asset in (1, 2):
            assert store.readings([asset])[asset].quality("speed").tolist() == [2, 0, 0, 2, 0, 0]
        assert statistics(store, 0, 6 * HOUR)["count"].tolist() == [4]
        later = Growth(Mark(1, "speed", 3 * HOUR + 1, 5 * HOUR, Quality.BAD, "range"), positions[3])
        store.mark([Mark(1, None, HOUR, 2 * HOUR, Quality.MISSING)], grown=[later], now=NOW)
        assert store.readings([1])[1].quality("speed").tolist() == [2, 3, 0, 2, 2, 0]
        assert statistics(store, 0, 6 * HOUR)["total"].tolist() == [2.0 + 5.0]

    def test_does_not_bring_back_the_mark_of_an_asset_that_went(self, store):
        position = doubt(store, Quality.BAD, 0, 2, flag="stuck")
        store.forget(1, now=NOW)
        head = store.head()
        grow(store, 2, 5, position)
        assert store.head() == head
        assert not store.readings([1])

    def test_leaves_bad_and_missing_out_of_statistics_and_counts_suspect(self, store):
        put(store, *((1, at, {"speed": float(at)}) for at in range(6)))
        say(store, Quality.BAD, 0, 1)
        say(store, Quality.MISSING, 4, 5)
        say(store, Quality.SUSPECT, 5, 6)
        assert statistics(store, 0, HOUR)["count"].tolist() == [4]
        assert statistics(store, 0, HOUR)["total"].tolist() == [11.0]
        say(store, Quality.GOOD, 0, HOUR)
        assert statistics(store, 0, HOUR)["count"].tolist() == [6]

    def test_can_take_a_series_out_of_statistics_altogether(self, store):
        put(store, (1, 5, {"speed": 1.0, "temperature": 2.0}))
        say(store, Quality.BAD, -HOUR, HOUR, code="speed")
        assert statistics(store, 0, HOUR) is None
        assert statistics(store, 0, HOUR, code="temperature")["count"].tolist() == [1]

    def test_may_cover_ten_years(self, store):
        put(store, *((1, day * 24 * HOUR + 1, {"speed": float(day)}) for day in (-1, 0, 400, 3000, 3660)))
        say(store, Quality.BAD, 0, 3650 * 24 * HOUR)
        say(store, Quality.GOOD, 399 * 24 * HOUR, 401 * 24 * HOUR)
        found = statistics(store, *range(-24 * HOUR, 3700 * 24 * HOUR, 24 * HOUR))
        assert [int(found["last"][index]) for index in np.flatnonzero(found["count"])] == [-1, 400, 3660]


class TestForgetting:
    def test_forgets_one_asset_and_keeps_the_others(self, store):
        put(store, (1, 1, {"speed": 1.0}), (2, 1, {"speed": 2.0}))
        store.forget(1, now=NOW)
        assert rows_of(store) == {2: {1: {"speed": 2.0}}}
        assert list(store.latest(ASSETS)) == [2]
        assert statistics(store, 0, HOUR) is None

    def test_is_for_good_whatever_still_arrives(self, store):
        put(store, (1, 1, {"speed": 1.0}), (2, 1, {"speed": 2.0}))
        say(store, Quality.BAD, 0, HOUR)
        store.forget(1, now=NOW)
        put(store, (1, 1, {"speed": 4.0}), (1, 2 * HOUR, {"speed": 5.0}), (2, 2, {"speed": 3.0}))
        put(store, (1, 3, {"speed": 9.0}), kind=Kind.REPLACE)
        assert rows_of(store) == {2: {1: {"speed": 2.0}, 2: {"speed": 3.0}}}
        assert list(store.latest(ASSETS)) == [2]
        assert store.extent([1]) is None
        assert statistics(store, 0, HOUR) is None


class TestReading:
    def test_gives_a_span_from_its_start_to_before_its_end(self, store):
        put(store, *((1, at, {"speed": 1.0}) for at in (0, HOUR - 1, HOUR, 2 * HOUR)))
        assert list(rows_of(store, (HOUR - 1, 2 * HOUR))[1]) == [HOUR - 1, HOUR]
        assert rows_of(store, (1, HOUR - 1)) == {}

    def test_answers_for_the_assets_asked_for_only(self, store):
        put(store, *((asset, 1, {"speed": 1.0}) for asset in ASSETS))
        assert list(store.readings([2])) == [2]
        assert store.readings([]) == {}

    def test_holds_everything_in_the_extent(self, store):
        assert store.extent(ASSETS) is None
        put(store, (1, -5, {"speed": 1.0}), (2, 3 * HOUR, {"speed": 1.0}))
        first, last = store.extent(ASSETS)
        assert first <= -5
        assert last > 3 * HOUR
        assert store.extent([3]) is None


class TestStatistics:
    def test_cuts_at_edges_wherever_they_lie(self, store):
        put(store, *((1, at, {"speed": float(at)}) for at in (0, 10, HOUR, HOUR + 5, 3 * HOUR)))
        found = statistics(store, 5, HOUR + 1, HOUR + 5, 3 * HOUR + 1)
        assert found["count"].tolist() == [2, 0, 2]
        assert found["first_at"].tolist() == [10, 0, HOUR + 5]
        assert found["last_at"].tolist() == [HOUR, 0, 3 * HOUR]
        assert found["maximum"].tolist() == [float(HOUR), 0.0, float(3 * HOUR)]

    def test_holds_each_value_until_the_next_over_the_borders_of_hours(self, store):
        put(store, *((1, at, {"speed": 2.0}) for at in (HOUR // 2, HOUR + HOUR // 2, 4 * HOUR)))
        assert statistics(store, 0, 5 * HOUR)["integral"].tolist() == [2.0 * 3600 * 3.5]

    def test_answers_for_the_parameters_asked_for(self, store):
        put(store, (1, 1, {"speed": 1.0, "temperature": 2.0}))
        found = store.statistics(ASSETS, codes=["temperature", "nothing"], edges=np.array([0, HOUR]))
        assert list(found) == [(1, "temperature")]

    def test_agrees_with_the_values_on_the_spread(self, store):
        values = [1e6 + step for step in (0.0, 0.5, 0.25, 0.75)]
        put(store, *((1, at * HOUR, {"speed": value}) for at, value in enumerate(values)))
        spread = statistics(store, 0, 4 * HOUR)["m2"][0] / len(values)
        assert spread == pytest.approx(np.var(values), rel=1e-6)


class TestLog:
    def test_gives_the_entries_in_order_and_by_pieces(self, db):
        for store in (MemoryStore(), DatabaseStore()):
            positions = [put(store, (1, at, {"speed": float(at)}), origin=Origin.REPLAY) for at in range(4)]
            entries = store.log(after=positions[0], limit=2)
            assert [entry.position for entry in entries] == positions[1:3]
            assert {(entry.kind, entry.origin) for entry in entries} == {(Kind.READINGS, Origin.REPLAY)}

    def test_tells_of_many_marks_in_one_entry_with_a_position_for_each(self, db):
        for store in (MemoryStore(), DatabaseStore()):
            old = doubt(store, Quality.BAD, 0, 2, flag="stuck")
            new = [Mark(asset, "speed", 10, 20, Quality.BAD, "range") for asset in (2, 1)]
            growth = Growth(Mark(1, "speed", 2, 5, Quality.BAD, "stuck"), old)
            assert store.mark(new, grown=[growth], now=NOW) == [old + 1, old + 2]
            [entry] = store.log(after=old, limit=10)
            assert (entry.position, entry.origin) == (old + 3, Origin.TESTS)
            assert entry.batch.assets.tolist() == [2, 2, 1, 1, 1, 1]
            assert entry.batch.times.tolist() == [10, 19, 10, 19, 2, 4]
            assert put(store, (1, 1, {"speed": 1.0})) == old + 4

    def test_tells_of_marks_and_of_assets_that_went(self, db):
        for store in (MemoryStore(), DatabaseStore()):
            start = store.head()
            say(store, Quality.BAD, 10, 20)
            store.forget(1, now=NOW)
            marked, forgotten = store.log(after=start, limit=10)
            assert (marked.kind, marked.batch.times.tolist()) == (Kind.QUALITY, [10, 19])
            assert (forgotten.kind, forgotten.batch.assets.tolist()) == (Kind.FORGET, [1])


def write_at_random(stores, dice):
    """One random write, the same to every store."""
    kind = dice.choice([Kind.READINGS] * 6 + [Kind.REPLACE, Kind.PATCH, Kind.REMOVE])
    many = dice.randint(1, 6) if kind is Kind.READINGS else 1
    rows = []
    for _ in range(many):
        codes = [] if kind is Kind.REMOVE else dice.sample(CODES, dice.randint(1, 2))
        rows.append((dice.choice(ASSETS), dice.randint(1, 8) * HOUR // 3, {code: dice.random() for code in codes}))
    for store in stores:
        put(store, *rows, kind=kind)


@pytest.mark.parametrize("real", [DatabaseStore, SometimesCompactingStore], ids=["log", "log and chunks"])
@pytest.mark.parametrize("seed", range(8))
def test_the_store_agrees_with_the_twin_after_any_history(db, seed, real):
    """Reads come between the writes, so that folds of every length are met."""
    dice, twin, store = random.Random(seed), MemoryStore(), real()
    for _ in range(25):
        write_at_random([twin, store], dice)
        if dice.random() < 0.4:
            assert differences(twin, store, ASSETS, [hours_of((0, 3 * HOUR))]) == [], f"seed {seed}"
    assert differences(twin, store, ASSETS, [[7, HOUR + 7, 2 * HOUR + 8]]) == [], f"seed {seed}"


@pytest.mark.django_db(transaction=True)
def test_a_view_is_not_misled_by_what_was_rolled_back():
    """What a transaction saw of its own write must not stay in the process when it is undone."""
    store = DatabaseStore()
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
