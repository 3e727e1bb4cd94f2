"""Times and durations on the wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from techtrack.core.clock import from_micros, isoformat, measured_duration, to_micros


class TestMicros:
    @given(st.datetimes(timezones=st.just(UTC)))
    def test_are_read_back_exactly(self, moment):
        assert from_micros(to_micros(moment)) == moment

    def test_are_written_in_utc(self):
        there = datetime(2026, 11, 21, 11, tzinfo=timezone(timedelta(hours=1)))
        assert isoformat(there) == "2026-11-21T10:00:00Z"


def test_what_was_measured_is_told_to_the_second():
    told = measured_duration(timedelta(days=1, hours=3, minutes=38, seconds=6, microseconds=665577))
    assert told == "P1DT3H38M7S"
    assert measured_duration(timedelta(microseconds=400)) == "PT0S"
