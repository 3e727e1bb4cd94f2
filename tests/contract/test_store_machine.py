"""Any interleaving of writes, corrections, marks, deletions, folds, days, moves to other zones: held to the twin."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from unittest import mock

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from techtrack.accounts.models import Site
from techtrack.core.clock import to_micros
from techtrack.telemetry.domain.quality import Mark, Quality
from techtrack.telemetry.domain.reading import Batch, Kind, Origin, Readings, Row
from techtrack.telemetry.models import Chunk, DayRollup, Forgotten, Latest, QualityMark, Rollup, Segment, Upkeep
from techtrack.telemetry.store import days, segments
from techtrack.telemetry.store.base import Growth
from techtrack.telemetry.store.compaction import compact
from techtrack.telemetry.store.database import DatabaseStore
from techtrack.telemetry.store.memory import MemoryStore
from tests import factories
from tests.campaigns import planted
from tests.campaigns.agreement import HOUR, differences
from tests.campaigns.scale import scale
from tests.factories import NOW

# Every example has assets of its own: what a process remembers of the last one's does not concern it.
_examples = itertools.count(1)
# Long ones begin first, on one worker.
pytestmark = pytest.mark.xdist_group("long")
ODD = [0.0, -0.0, 5e-324, -5e-324, 2.2e-308, 1.7976931348623157e308, -1.7e308, 1e15 + 0.125, 0.1, 1.0, -273.15, 1e-7]

CORRECTIONS = [Kind.REPLACE, Kind.PATCH, Kind.REMOVE]
ZONES = ["UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe"]
# Hours before and after 1970; and those in which Berlin and Lord Howe change their clocks.
ORIGINS = [0, *(to_micros(datetime(2026, 10, *at, tzinfo=UTC)) for at in ((25, 1), (3, 15)))]

slots = st.integers(1, 3)
codes = st.sampled_from(["a", "b", "temperature"])
offsets = st.sampled_from([0, 1, 2, 3, HOUR // 3, HOUR - 2, HOUR - 1]) | st.integers(0, HOUR - 1)
# A place is one of five hours and what has passed of it; each example lays the hours where it likes.
places = st.tuples(st.integers(-2, 2), offsets)
decimals = st.integers(-100_000, 100_000).map(lambda number: number / 100)
numbers = decimals | st.sampled_from(ODD) | st.floats(allow_nan=False, allow_infinity=False)
values = st.dictionaries(codes, numbers, min_size=1, max_size=3)
readings = st.lists(st.tuples(slots, places, values), min_size=1, max_size=8)
edges = st.lists(places, min_size=2, max_size=6, unique=True).map(sorted)
zones = st.sampled_from(ZONES)


@lru_cache
def midnights(zone: str, start: int, end: int) -> list[int]:
    """Where the local days begin that hold a span."""
    return days.midnights(zone, start, end).tolist()


class BrokenOff(Exception):
    """The power of the process that folds or makes days went."""


class Fuse:
    """Lets so many statements through, and breaks off before the next."""

    def __init__(self, statements: int) -> None:
        self.left = statements

    def __call__(self, execute: Callable, sql: str, params: Any, many: Any, context: Any) -> Any:
        self.left -= 1
        # A process without power has no transaction any more; that it ends one is the database's doing.
        if self.left < 0 and sql != "ROLLBACK":
            raise BrokenOff
        return execute(sql, params, many, context)


class StoreMachine(RuleBasedStateMachine):
    """One twin, and two processes' stores on one database: one is asked after each step, one now and then."""

    @initialize(origin=st.sampled_from(ORIGINS), stride=st.sampled_from([1, 11]))
    def begin(self, origin, stride):
        # What a broken example left behind would make the next one behave differently.
        for model in (Segment, Chunk, Rollup, DayRollup, Latest, QualityMark, Upkeep, Forgotten):
            model.objects.all().delete()
        self.base = next(_examples) * 10
        self.zone, self.site = "UTC", factories.make_site(f"Site {self.base}")
        for slot in (1, 2):
            factories.make_equipment(pk=self.base + slot, site=self.site)
        self.origin, self.stride = origin, stride * HOUR
        self.whole = sorted({self._time((hour, offset)) for hour in range(-2, 3) for offset in (0, HOUR)})
        self.span = (self.whole[0], self.whole[-1])
        self.twin, self.store, self.other = MemoryStore(), DatabaseStore(), DatabaseStore()
        self.start = self.store.head()
        self.sent, self.doubts = [], []
        # The twin numbers marks from the beginning of its own log.
        self.known = {}

    @rule(rows=readings, origin=st.sampled_from(Origin))
    def send(self, rows, origin):
        self.sent.append(rows)
        self._append(rows, Kind.READINGS, origin)

    @rule(number=st.integers(0, 100))
    def send_again(self, number):
        if self.sent:
            self._append(self.sent[number % len(self.sent)], Kind.READINGS, Origin.REPLAY)

    @rule(slot=slots, place=places, said=values, kind=st.sampled_from([Kind.REPLACE, Kind.PATCH]))
    def correct(self, slot, place, said, kind):
        self._append([(slot, place, said)], kind, Origin.LIVE)

    @rule(number=st.integers(0, 100), said=values, kind=st.sampled_from(CORRECTIONS))
    def correct_what_is_there(self, number, said, kind):
        if self.sent:
            rows = self.sent[number % len(self.sent)]
            slot, place, _ = rows[number % len(rows)]
            self._append([(slot, place, {} if kind is Kind.REMOVE else said)], kind, Origin.LIVE)

    @rule(slot=slots, place=places)
    def remove(self, slot, place):
        self._append([(slot, place, {})], Kind.REMOVE, Origin.LIVE)

    @rule(number=st.integers(0, 100), said=values, kind=st.sampled_from(CORRECTIONS), folded=st.booleans())
    def insist_on_what_was_corrected(self, number, said, kind, folded):
        self.correct_what_is_there(number, said, kind)
        if folded:
            compact(NOW, force=True)
        self.send_again(number)
        self._look(self.store)

    @rule(slot=slots, again=st.booleans())
    def remove_everything(self, slot, again):
        there = self._there(slot)
        for time in there:
            self._write([Row(self.base + slot, time, {})], Kind.REMOVE, Origin.LIVE)
        if again and there:
            self._write([Row(self.base + slot, there[-1], {"a": 1.0})], Kind.READINGS, Origin.REPLAY)

    @rule(slot=slots, code=codes | st.none(), cut=edges, quality=st.sampled_from(Quality))
    def mark(self, slot, code, cut, quality):
        mark = Mark(self.base + slot, code, self._time(cut[0]), self._time(cut[-1]), quality)
        self._both(lambda store: store.mark([mark], now=NOW))

    @rule(said=st.lists(st.tuples(slots, codes, edges), min_size=1, max_size=4), number=st.integers(0, 100))
    def doubt_several(self, said, number):
        """What tests find at once: new marks of any assets, and one of before that grows."""
        marks = [
            Mark(self.base + slot, code, self._time(cut[0]), self._time(cut[-1]), Quality.BAD, "range")
            for slot, code, cut in said
        ]
        grown = []
        if self.doubts:
            mark, position = self.doubts[number % len(self.doubts)]
            grown.append(Growth(replace(mark, start=mark.end, end=mark.end + self.stride), position))
        positions = self.twin.mark(marks, grown=grown, now=NOW)
        with transaction.atomic():
            mine = self.store.mark(marks, grown=self._theirs(grown), now=NOW)
        self.doubts += zip(marks, positions, strict=True)
        self.known |= dict(zip(positions, mine, strict=True))

    @rule(slot=slots, code=codes | st.none(), quality=st.sampled_from(Quality), number=st.integers(0, 100))
    def mark_what_is_there(self, slot, code, quality, number):
        if there := self._there(slot):
            first = there[number % len(there)]
            mark = Mark(self.base + slot, code, first, first + 1 + number % 3 * self.stride, quality)
            self._both(lambda store: store.mark([mark], now=NOW))

    @rule(place=places, said=values, folded=st.booleans())
    def forget(self, place, said, folded):
        """One of them only: whatever is sent of it from then on is never to be seen."""
        self._append([(3, place, said)], Kind.READINGS, Origin.LIVE)
        if folded:
            compact(NOW, force=True)
        self._both(lambda store: store.forget(self.base + 3, now=NOW))

    @rule(rows=readings)
    def send_and_roll_back(self, rows):
        with transaction.atomic():
            self.store.append(Batch.of(self._rows(rows)), kind=Kind.READINGS, origin=Origin.LIVE, now=NOW)
            self.store.readings(self._assets())
            transaction.set_rollback(True)
        self._look(self.store)

    @rule()
    def look(self):
        self._look(self.store)

    @rule()
    def compact(self):
        compact(NOW, force=True)
        self._look(self.store)

    @rule(rows=readings, statements=st.integers(1, 30))
    def break_off_compaction(self, rows, statements):
        self.send(rows, Origin.LIVE)
        self._break_off(lambda: compact(NOW, force=True), statements)

    @rule(folded=st.booleans(), zone=zones)
    def make_days(self, folded, zone):
        if folded:
            compact(NOW, force=True)
        while days.build(NOW):
            pass
        self.ask_by_days(zone)

    @rule(statements=st.integers(1, 20))
    def break_off_days(self, statements):
        self._break_off(lambda: days.build(NOW), statements)

    @rule(zone=zones)
    def move_the_site(self, zone):
        self._move(zone)
        self._look(self.store)

    @rule(rows=readings, later=values, zone=zones | st.none())
    def make_days_too_slowly(self, rows, later, zone):
        """What was read changes before it is written: by a fold, or the site moves and a faster one passes."""
        rows_of, assets = days.rows_of, [self.base + rows[0][0]]

        def passed(*what):
            slow.stop()
            if zone:
                self._move(zone)
                days.build(NOW, assets=assets)
            else:
                self._append([(*rows[0][:2], later)], Kind.PATCH, Origin.LIVE)
                compact(NOW, force=True)
            return rows_of(*what)

        self.send(rows, Origin.LIVE)
        compact(NOW, force=True)
        slow = mock.patch.object(days, "rows_of", passed)
        slow.start()
        try:
            while days.build(NOW, assets=assets):
                pass
        finally:
            slow.stop()
        self.ask_by_days(self.zone)

    @rule(zone=zones)
    def ask_by_days(self, zone):
        self._look(self.store, midnights(zone, *self.span), midnights(self.zone, *self.span))

    @rule(cut=edges)
    def ask_the_other_process(self, cut):
        cut = [self._time(place) for place in cut]
        self._look(self.other, cut, [cut[0], cut[-1]])
        entries = self.other.log(after=max(self.start, segments.watermark()), limit=10_000)
        everything = self.twin.log(after=0, limit=1_000_000)
        newest = everything[len(everything) - len(entries) :]
        assert [(e.kind, e.origin, list(e.batch.rows())) for e in entries] == [
            (e.kind, e.origin, list(e.batch.rows())) for e in newest
        ]

    @rule()
    def start_a_new_process(self):
        self.other = DatabaseStore()

    def teardown(self):
        if hasattr(self, "store"):
            compact(NOW, force=True)
            self.ask_by_days(self.zone)
            self._look(DatabaseStore(), self.span)
            gone = Forgotten.objects.values("asset_id")
            assert not any(model.objects.filter(asset_id__in=gone).exists() for model in (Chunk, Rollup, Latest))

    def _break_off(self, work, statements):
        try:
            with connection.execute_wrapper(Fuse(statements)):
                work()
        except BrokenOff:
            pass
        self._look(self.store)

    def _move(self, zone):
        self.zone = zone
        Site.objects.filter(pk=self.site.pk).update(timezone=zone)

    def _append(self, rows, kind, origin):
        self._write(self._rows(rows), kind, origin)

    def _write(self, rows, kind, origin):
        batch = Batch.of(rows)
        self._both(lambda store: store.append(batch, kind=kind, origin=origin, now=NOW))

    def _both(self, write):
        write(self.twin)
        with transaction.atomic():
            write(self.store)

    def _theirs(self, grown):
        return [growth._replace(position=self.known[growth.position]) for growth in grown]

    def _rows(self, rows):
        return [Row(self.base + slot, self._time(place), said) for slot, place, said in rows]

    def _time(self, place):
        return self.origin + place[0] * self.stride + place[1]

    def _there(self, slot):
        return self.twin.readings([self.base + slot]).get(self.base + slot, Readings()).times.tolist()

    def _assets(self):
        return [self.base + slot for slot in (1, 2, 3)]

    def _look(self, store, *cuts):
        cuts = {tuple(cut) for cut in (self.whole, *cuts)}
        assert differences(self.twin, store, self._assets(), sorted(cuts)) == []


def run(examples, steps=40, phases=(Phase.generate, Phase.shrink)):
    """Run the machine; a failure names the shortest history that Hypothesis found, and the seed that finds it again."""
    run_state_machine_as_test(
        StoreMachine,
        settings=settings(
            max_examples=examples * scale(),
            stateful_step_count=steps,
            deadline=None,
            phases=phases,
            database=None,
            print_blob=True,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_store_answers_as_the_twin_does_whatever_came_before():
    run(25)


@pytest.mark.slow
@pytest.mark.parametrize(
    "bug",
    [
        planted.locks_are_not_folded,
        planted.rollups_are_written_once,
        planted.marks_do_not_reach_chunks,
        planted.the_sign_of_zero_is_lost,
        planted.statistics_ignore_the_log,
        planted.deletion_leaves_chunks,
        planted.latest_is_the_last_arrival,
        planted.watermark_moves_first,
        planted.days_outlive_their_hours,
        planted.days_count_where_they_begin,
        planted.days_are_written_whatever_changed,
    ],
    ids=lambda bug: bug.__name__,
)
@pytest.mark.django_db(transaction=True)
def test_a_planted_bug_is_caught(bug):
    with bug(), pytest.raises(AssertionError):
        run(300, phases=[Phase.generate])
