"""The periods of reports, and the checksum of what they say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from techtrack.core.errors import Invalid
from techtrack.reports.domain.canonical import canonical, checksum
from techtrack.reports.domain.periods import read_period

EAST = timedelta(hours=8)


class TestPeriod:
    @pytest.mark.parametrize(
        ("text", "begin", "end"),
        [
            pytest.param(
                "2016",
                datetime(2015, 12, 31, 16, tzinfo=UTC),
                datetime(2016, 12, 31, 16, tzinfo=UTC),
                id="a year, in Beijing",
            ),
            pytest.param(
                "2016-02",
                datetime(2016, 1, 31, 16, tzinfo=UTC),
                datetime(2016, 2, 29, 16, tzinfo=UTC),
                id="a leap month",
            ),
            pytest.param(
                "2016-12",
                datetime(2016, 11, 30, 16, tzinfo=UTC),
                datetime(2016, 12, 31, 16, tzinfo=UTC),
                id="to the next year",
            ),
        ],
    )
    def test_lies_on_the_standard_time_of_its_site(self, text, begin, end):
        found = read_period(text)
        assert str(found) == text
        assert (found.begin(EAST), found.end(EAST)) == (begin, end)

    @pytest.mark.parametrize("text", ["", "16", "2016-13", "2016-00", "2016-1", "1999", "2100", "٢٠١٦", "2016-01-01"])
    def test_is_refused_if_it_is_none(self, text):
        with pytest.raises(Invalid):
            read_period(text)


class TestChecksum:
    def test_does_not_depend_on_the_order_of_members(self):
        assert checksum({"a": 1, "b": [1.5, None, "ü"]}) == checksum({"b": [1.5, None, "ü"], "a": 1})

    @pytest.mark.parametrize("other", [{"a": 2}, {"a": "1"}, {"a": 1.5}, {"b": 1}, {"a": 1, "b": None}, {"a": [1]}])
    def test_tells_apart_what_differs(self, other):
        assert checksum(other) != checksum({"a": 1})

    def test_is_of_bytes_that_can_be_made_again(self):
        assert canonical({"ä": [1, 2.5, True]}) == '{"ä":[1,2.5,true]}'.encode()

    def test_refuses_what_json_does_not_have(self):
        with pytest.raises(ValueError, match="not JSON compliant"):
            canonical(float("nan"))
