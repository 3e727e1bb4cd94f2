"""Times and durations on the wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from techtrack.core.clock import from_micros, isoformat, to_micros


class TestMicros:
    @given(st.datetimes(timezones=st.just(UTC)))
    def test_are_read_back_exactly(self, moment):
        assert from_micros(to_micros(moment)) == moment

    def test_are_written_in_utc(self):
        there = datetime(2026, 11, 21, 11, tzinfo=timezone(timedelta(hours=1)))
        assert isoformat(there) == "2026-11-21T10:00:00Z"
