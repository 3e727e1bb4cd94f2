"""Cursors of those who keep a copy: read as they were written, and nothing else is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.tasks.domain.sync import BadCursor, Cursor, day_of, read_cursor, scope
from tests.factories import NOW

NUMBERS = st.integers(0, 2**63 - 1)


class TestCursor:
    @given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
    def test_is_read_as_it_was_written(self, number, task, departure, day):
        cursor = Cursor(number, task, departure, day, scope(7, {1, 2}))
        assert read_cursor(str(cursor), pointer="?since") == cursor

    def test_of_the_beginning_is_none(self):
        assert read_cursor("0", pointer="?since") is None

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("", id="nothing"),
            pytest.param("7", id="a number alone"),
            pytest.param("2026-11-21T10:00:00Z", id="a time"),
            pytest.param("1.2.3.4", id="without what one may see"),
            pytest.param("1.2.-3.4.0123456789ab", id="below every number"),
            pytest.param(f"{2**63}.2.3.4.0123456789ab", id="beyond every number"),
            pytest.param("1.2.3.4.0123456789AB", id="other letters"),
            pytest.param("1.2.3.4.0123456789ab\n", id="a line"),
            pytest.param("\u0661.2.3.4.0123456789ab", id="digits of another script"),
        ],
    )
    def test_that_was_never_written_is_refused(self, text):
        with pytest.raises(BadCursor) as caught:
            read_cursor(text, pointer="?since")
        assert caught.value.faults[0].pointer == "?since"

    @pytest.mark.parametrize(("days", "known"), [(0, True), (29, True), (30, False)])
    def test_is_known_for_thirty_days(self, days, known):
        cursor = Cursor(1, 2, 3, day_of(NOW), scope(7, None))
        assert cursor.is_known(NOW + timedelta(days=days)) is known


class TestScope:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            pytest.param((1, {1}), (2, {1}), id="another person"),
            pytest.param((1, {1}), (1, {1, 2}), id="another site"),
            pytest.param((1, None), (1, set()), id="all sites or none"),
            pytest.param((1, {1}, 1, None), (1, {1}, None, 1), id="a key of a site or of an asset"),
        ],
    )
    def test_differs_where_a_caller_may_see_other_tasks(self, one, other):
        assert scope(*one) != scope(*other)

    def test_is_the_same_in_whatever_order_sites_come(self):
        assert scope(1, [2, 1]) == scope(1, [1, 2])
