"""Which alerts share messages, and when a group is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.notifications.domain.grouping import (
    GROUP_LABELS,
    Course,
    Timing,
    graver,
    gravest,
    key_of,
    news_due,
    next_due,
    repeat_due,
    steps_due,
)

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
M = timedelta(minutes=1)
LABELS = {"site": 2, "asset": 7, "asset_type": "robot", "severity": "high", "rule": None, "parameter": "x"}


class TestKey:
    @pytest.mark.parametrize(
        ("group_by", "key"),
        [
            pytest.param([], '{"alert":5}', id="each alert for itself"),
            pytest.param(["site"], '{"site":2}', id="one label"),
            pytest.param(["rule"], '{"rule":null}', id="alerts of no rule share it"),
            pytest.param(["severity", "asset"], '{"asset":7,"severity":"high"}', id="in one order"),
        ],
    )
    def test_writes_down_what_alerts_agree_in(self, group_by, key):
        assert key_of(LABELS, group_by, alert=5) == key

    @given(st.lists(st.sampled_from(GROUP_LABELS), min_size=1), st.integers(1), st.integers(1))
    def test_does_not_depend_on_the_alert_nor_on_the_order(self, group_by, one, other):
        assert key_of(LABELS, group_by, alert=one) == key_of(LABELS, sorted(group_by), alert=other)

    def test_fits_its_column_whatever_the_labels(self):
        longest = {"site": 2**63, "asset": 2**63, "rule": 2**63, "severity": "critical"}
        key = key_of(longest | {"asset_type": "t" * 64, "parameter": "p" * 64}, GROUP_LABELS, alert=1)
        assert len(key) <= 300


class TestSeverity:
    @pytest.mark.parametrize(("one", "other", "is_graver"), [("high", "low", True), ("low", "low", False)])
    def test_is_graver(self, one, other, is_graver):
        assert graver(one, other) is is_graver

    def test_of_several_is_the_worst(self):
        assert gravest(["low", "critical", "high"]) == "critical"
        assert gravest([]) == "info"


class TestNews:
    @pytest.mark.parametrize(
        ("course", "urgent", "due"),
        [
            pytest.param(Course(), False, NOW + 2 * M, id="a new group waits for more"),
            pytest.param(Course(NOW - 9 * M, NOW - M), False, NOW + 4 * M, id="a message apart from the last"),
            pytest.param(Course(NOW - 9 * M, NOW - 9 * M), False, NOW, id="the last was long ago"),
            pytest.param(Course(NOW - 9 * M, NOW - M), True, NOW + 2 * M, id="graver than what was told"),
        ],
    )
    def test_is_told(self, course, urgent, due):
        assert news_due(Timing(2 * M, 5 * M), course, now=NOW, urgent=urgent) == due


class TestNext:
    TIMING = Timing(repeat_every=30 * M, after=[10 * M, 60 * M])

    @pytest.mark.parametrize(
        ("minutes", "course", "steps"),
        [
            pytest.param(9, Course(NOW, NOW), 0, id="too early"),
            pytest.param(10, Course(NOW, NOW), 1, id="at its time"),
            pytest.param(99, Course(NOW, NOW), 2, id="both were missed"),
            pytest.param(5, Course(NOW, NOW, 1), 1, id="none is taken back"),
            pytest.param(99, Course(), 0, id="nothing was told yet"),
        ],
    )
    def test_rows_of_the_escalation_are_due(self, minutes, course, steps):
        assert steps_due(self.TIMING, course, now=NOW + minutes * M) == steps

    @pytest.mark.parametrize(
        ("course", "due"),
        [
            pytest.param(Course(NOW, NOW), NOW + 10 * M, id="the first row"),
            pytest.param(Course(NOW, NOW, 1), NOW + 30 * M, id="a repetition before the second"),
            pytest.param(Course(NOW, NOW + 40 * M, 1), NOW + 60 * M, id="the second before a repetition"),
            pytest.param(Course(NOW, NOW + 70 * M, 2), NOW + 90 * M, id="repetitions, for ever"),
        ],
    )
    def test_look_is_the_sooner_of_a_row_and_a_repetition(self, course, due):
        assert next_due(self.TIMING, course) == due

    def test_look_is_none_where_there_is_nothing_to_come(self):
        assert next_due(Timing(after=[M]), Course(NOW, NOW, 1)) is None
        assert repeat_due(Timing(), Course(NOW, NOW)) is None

    def test_repetition_is_not_put_off_by_news(self):
        timing = Timing(repeat_every=15 * M)
        assert repeat_due(timing, Course(NOW, NOW + 10 * M)) == NOW + 15 * M
        assert repeat_due(timing, Course(NOW, NOW + 15 * M)) == NOW + 30 * M

    @given(
        st.lists(st.integers(1, 500), unique=True, max_size=5).map(sorted),
        st.none() | st.integers(1, 300),
        st.integers(0, 1000),
    )
    def test_look_leaves_nothing_behind_and_never_stands_still(self, rows, repeat, minutes):
        timing = Timing(repeat_every=repeat and repeat * M, after=[row * M for row in rows])
        course, told = Course(NOW, NOW), 0
        while (due := next_due(timing, course)) and due <= NOW + minutes * M:
            step = steps_due(timing, course, now=due)
            repeated = (again := repeat_due(timing, course)) is not None and again <= due
            assert step > course.step or repeated
            told += 1
            course = Course(NOW, due, step)
        assert course.step == sum(row <= minutes for row in rows)
        assert repeat is None or told >= minutes // repeat
