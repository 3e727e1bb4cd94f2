"""Any interleaving of writes, corrections, marks, deletions, compaction, whole or broken off: held to the twin."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from techtrack.telemetry.domain.quality import Mark, Quality
from techtrack.telemetry.domain.reading import Batch, Kind, Origin, Readings, Row
from techtrack.telemetry.models import Chunk, DayRollup, Latest, QualityMark, Rollup, Segment
from techtrack.telemetry.store import segments
from techtrack.telemetry.store.compaction import compact
from techtrack.telemetry.store.database import DatabaseStore
from techtrack.telemetry.store.memory import MemoryStore
from tests.campaigns import planted
from tests.campaigns.agreement import HOUR, differences, hours_of
from tests.campaigns.scale import scale
from tests.factories import NOW

# Every example has assets of its own: what a process remembers of the last one's does not concern it.
_examples = itertools.count(1)
WHOLE = hours_of((-2 * HOUR, 3 * HOUR))
# Long ones begin first, on one worker.
pytestmark = pytest.mark.xdist_group("long")
ODD = [0.0, -0.0, 5e-324, -5e-324, 2.2e-308, 1.7976931348623157e308, -1.7e308, 1e15 + 0.125, 0.1, 1.0, -273.15, 1e-7]

CORRECTIONS = [Kind.REPLACE, Kind.PATCH, Kind.REMOVE]

slots = st.integers(1, 3)
codes = st.sampled_from(["a", "b", "temperature"])
offsets = st.sampled_from([0, 1, 2, 3, HOUR // 3, HOUR - 2, HOUR - 1]) | st.integers(0, HOUR - 1)
times = st.builds(lambda hour, offset: hour * HOUR + offset, st.integers(-2, 2), offsets)
decimals = st.integers(-100_000, 100_000).map(lambda number: number / 100)
numbers = decimals | st.sampled_from(ODD) | st.floats(allow_nan=False, allow_infinity=False)
values = st.dictionaries(codes, numbers, min_size=1, max_size=3)
readings = st.lists(st.tuples(slots, times, values), min_size=1, max_size=8)
edges = st.lists(times, min_size=2, max_size=6, unique=True).map(sorted)


class BrokenOff(Exception):
    """The power of the process that compacts went."""


class Fuse:
    """Lets so many statements through, and breaks off before the next."""

    def __init__(self, statements: int) -> None:
        self.left = statements

    def __call__(self, execute: Callable, sql: str, params: Any, many: Any, context: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise BrokenOff
        return execute(sql, params, many, context)


class StoreMachine(RuleBasedStateMachine):
    """One twin, and two processes' stores on one database: one is asked after each step, one now and then."""

    @initialize()
    def begin(self):
        # What a broken example left behind would make the next one behave differently.
        for model in (Segment, Chunk, Rollup, DayRollup, Latest, QualityMark):
            model.objects.all().delete()
        self.base = next(_examples) * 10
        self.twin, self.store, self.other = MemoryStore(), DatabaseStore(), DatabaseStore()
        self.start = self.store.head()
        self.sent = []

    @rule(rows=readings, origin=st.sampled_from(Origin))
    def send(self, rows, origin):
        self.sent.append(rows)
        self._append(rows, Kind.READINGS, origin)

    @rule(number=st.integers(0, 100))
    def send_again(self, number):
        if self.sent:
            self._append(self.sent[number % len(self.sent)], Kind.READINGS, Origin.REPLAY)

    @rule(slot=slots, time=times, said=values, kind=st.sampled_from([Kind.REPLACE, Kind.PATCH]))
    def correct(self, slot, time, said, kind):
        self._append([(slot, time, said)], kind, Origin.LIVE)

    @rule(number=st.integers(0, 100), said=values, kind=st.sampled_from(CORRECTIONS))
    def correct_what_is_there(self, number, said, kind):
        if self.sent:
            rows = self.sent[number % len(self.sent)]
            slot, time, _ = rows[number % len(rows)]
            self._append([(slot, time, {} if kind is Kind.REMOVE else said)], kind, Origin.LIVE)

    @rule(slot=slots, time=times)
    def remove(self, slot, time):
        self._append([(slot, time, {})], Kind.REMOVE, Origin.LIVE)

    @rule(number=st.integers(0, 100), said=values, kind=st.sampled_from(CORRECTIONS), folded=st.booleans())
    def insist_on_what_was_corrected(self, number, said, kind, folded):
        self.correct_what_is_there(number, said, kind)
        if folded:
            compact(NOW, force=True)
        self.send_again(number)
        self._look(self.store, WHOLE)

    @rule(slot=slots, again=st.booleans())
    def remove_everything(self, slot, again):
        there = self.twin.readings([self.base + slot]).get(self.base + slot, Readings())
        for time in there.times.tolist():
            self._append([(slot, time, {})], Kind.REMOVE, Origin.LIVE)
        if again and len(there.times):
            self._append([(slot, int(there.times[-1]), {"a": 1.0})], Kind.READINGS, Origin.REPLAY)

    @rule(slot=slots, code=codes | st.none(), cut=edges, quality=st.sampled_from(Quality))
    def mark(self, slot, code, cut, quality):
        mark = Mark(self.base + slot, code, cut[0], cut[-1], quality)
        self._both(lambda store: store.mark(mark, now=NOW))

    @rule(slot=slots, code=codes | st.none(), quality=st.sampled_from(Quality), number=st.integers(0, 100))
    def mark_what_is_there(self, slot, code, quality, number):
        there = self.twin.readings([self.base + slot]).get(self.base + slot, Readings()).times.tolist()
        if there:
            first = there[number % len(there)]
            mark = Mark(self.base + slot, code, first, first + 1 + number % 3 * HOUR, quality)
            self._both(lambda store: store.mark(mark, now=NOW))

    @rule(slot=slots)
    def forget(self, slot):
        self._both(lambda store: store.forget(self.base + slot, now=NOW))

    @rule(rows=readings)
    def send_and_roll_back(self, rows):
        with transaction.atomic():
            self.store.append(self._batch(rows), kind=Kind.READINGS, origin=Origin.LIVE, now=NOW)
            self.store.readings(self._assets())
            transaction.set_rollback(True)
        self._look(self.store, WHOLE)

    @rule()
    def look(self):
        self._look(self.store, WHOLE)

    @rule()
    def compact(self):
        compact(NOW, force=True)
        self._look(self.store, WHOLE)

    @rule(statements=st.integers(1, 30))
    def break_off_compaction(self, statements):
        try:
            with connection.execute_wrapper(Fuse(statements)):
                compact(NOW, force=True)
        except BrokenOff:
            pass
        self._look(self.store, WHOLE)

    @rule(cut=edges)
    def ask_the_other_process(self, cut):
        self._look(self.other, cut, [cut[0], cut[-1]], WHOLE)
        entries = self.other.log(after=max(self.start, segments.watermark()), limit=10_000)
        newest = self.twin.log(after=self.twin.head() - len(entries), limit=10_000)
        assert [(e.kind, e.origin, list(e.batch.rows())) for e in entries] == [
            (e.kind, e.origin, list(e.batch.rows())) for e in newest
        ]

    @rule()
    def start_a_new_process(self):
        self.other = DatabaseStore()

    def teardown(self):
        if hasattr(self, "store"):
            compact(NOW, force=True)
            self._look(self.store, WHOLE)
            self._look(DatabaseStore(), WHOLE, [-2 * HOUR, 3 * HOUR])

    def _append(self, rows, kind, origin):
        batch = self._batch(rows)
        self._both(lambda store: store.append(batch, kind=kind, origin=origin, now=NOW))

    def _both(self, write):
        write(self.twin)
        with transaction.atomic():
            write(self.store)

    def _batch(self, rows):
        return Batch.of(Row(self.base + slot, time, said) for slot, time, said in rows)

    def _assets(self):
        return [self.base + slot for slot in (1, 2, 3)]

    def _look(self, store, *cuts):
        assert differences(self.twin, store, self._assets(), cuts) == []


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
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_store_answers_as_the_twin_does_whatever_came_before():
    run(40)


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
    ],
    ids=lambda bug: bug.__name__,
)
@pytest.mark.django_db(transaction=True)
def test_a_planted_bug_is_caught(bug):
    with bug(), pytest.raises((AssertionError, ExceptionGroup)):
        run(300, phases=[Phase.generate])
