"""Durations as people write them, read and written."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from techtrack.core.clock import iso_duration, read_duration

# Appendix A, without months and years.
TIME = r"T(\d+H(\d+M(\d+S)?)?|\d+M(\d+S)?|\d+S)"
RFC_3339 = re.compile(rf"P(\d+D({TIME})?|{TIME})")


class TestDuration:
    @given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=999_999)))
    def test_is_read_as_it_was_written(self, duration):
        assert read_duration(iso_duration(duration)) == duration

    @given(st.integers(0, 10**9))
    @example(3627)
    def test_of_whole_seconds_is_one_that_json_schema_knows(self, seconds):
        assert RFC_3339.fullmatch(iso_duration(timedelta(seconds=seconds)))

    @pytest.mark.parametrize(
        ("text", "duration"),
        [
            ("PT5M", timedelta(minutes=5)),
            ("P1DT12H", timedelta(days=1, hours=12)),
            ("P2W", timedelta(weeks=2)),
            ("PT90M", timedelta(minutes=90)),
            ("PT0.5S", timedelta(seconds=0.5)),
            ("PT0S", timedelta(0)),
        ],
    )
    def test_may_be_written_in_several_ways(self, text, duration):
        assert read_duration(text) == duration

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("P", id="of nothing"),
            pytest.param("PT", id="of no time"),
            pytest.param("P1DT", id="that ends too early"),
            pytest.param("PT5", id="without unit"),
            pytest.param("-PT5M", id="below zero"),
            pytest.param("P1W2D", id="of weeks and days"),
            pytest.param("P1M", id="of a month, whose length varies"),
            pytest.param("PT1M ", id="with a space"),
            pytest.param("PT1M\n", id="with a new line"),
            pytest.param("PT٣M", id="with digits of another script"),
            pytest.param("P9999999999D", id="longer than time"),
            pytest.param("5 minutes", id="in words"),
            pytest.param("", id="that is empty"),
        ],
    )
    def test_is_refused(self, text):
        assert read_duration(text) is None
