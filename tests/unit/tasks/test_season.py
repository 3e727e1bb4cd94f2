"""Parts of the year: which days they include, and when they begin again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from techtrack.tasks.domain.season import BadSeason, Season

BERLIN = ZoneInfo("Europe/Berlin")
SUMMER = Season((4, 1), (10, 31), BERLIN)
WINTER = Season((11, 1), (2, 29), BERLIN)


def local(text):
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


class TestSeason:
    @pytest.mark.parametrize(
        ("season", "day", "expected"),
        [
            pytest.param(SUMMER, "2026-04-01", True, id="its first day"),
            pytest.param(SUMMER, "2026-10-31T23:59", True, id="its last minute"),
            pytest.param(SUMMER, "2026-03-31T23:59", False, id="the evening before"),
            pytest.param(SUMMER, "2026-11-01", False, id="the day after"),
            pytest.param(WINTER, "2026-12-31", True, id="over New Year, before"),
            pytest.param(WINTER, "2026-01-01", True, id="over New Year, after"),
            pytest.param(WINTER, "2026-02-28", True, id="up to a leap day, in a year without"),
            pytest.param(WINTER, "2026-03-01", False, id="after a leap day, in a year without"),
        ],
    )
    def test_includes_its_days(self, season, day, expected):
        assert season.includes(local(day)) is expected

    def test_days_are_those_of_the_place(self):
        # 22:30 UTC on 31 March is half past midnight in Berlin.
        assert SUMMER.includes(datetime(2026, 3, 31, 22, 30, tzinfo=UTC))
        assert not Season((4, 1), (10, 31), ZoneInfo("UTC")).includes(datetime(2026, 3, 31, 22, 30, tzinfo=UTC))

    @pytest.mark.parametrize(
        ("season", "moment", "expected"),
        [
            pytest.param(SUMMER, "2026-07-01T08:00", "2026-07-01T08:00", id="in it"),
            pytest.param(SUMMER, "2026-12-24T08:00", "2027-04-01T08:00", id="after it, over New Year"),
            pytest.param(SUMMER, "2026-01-05T08:00", "2026-04-01T08:00", id="before it"),
            pytest.param(Season((2, 29), (5, 1), BERLIN), "2026-01-05T08:00", "2026-03-01T08:00", id="no leap day"),
            pytest.param(Season((2, 29), (5, 1), BERLIN), "2028-01-05T08:00", "2028-02-29T08:00", id="a leap day"),
        ],
    )
    def test_brings_a_moment_in(self, season, moment, expected):
        assert season.brought_in(local(moment)) == local(expected)

    def test_opens_with_its_first_day(self):
        assert SUMMER.next_opening(local("2026-12-24T08:00")) == local("2027-04-01T00:00")

    @given(
        st.dates(datetime(2024, 1, 1).date(), datetime(2024, 12, 31).date()),  # noqa: DTZ001 - days of a leap year
        st.dates(datetime(2024, 1, 1).date(), datetime(2024, 12, 31).date()),  # noqa: DTZ001
        st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001
    )
    def test_what_was_brought_in_is_in_and_not_earlier(self, first, last, moment):
        season = Season((first.month, first.day), (last.month, last.day), BERLIN)
        # What comes every four years is refused.
        assume(not season.first == season.last == (2, 29))
        moment = moment.replace(tzinfo=UTC)
        found = season.brought_in(moment)
        assert season.includes(found)
        assert moment - timedelta(hours=1) <= found <= moment + timedelta(days=367)

    @pytest.mark.parametrize(
        ("raw", "pointer"),
        [
            pytest.param("summer", "/season", id="a word"),
            pytest.param({"from": "04-01"}, "/season", id="without an end"),
            pytest.param({"from": "04-01", "to": "10-31", "in": 1}, "/season", id="an unknown field"),
            pytest.param({"from": "04-31", "to": "10-31"}, "/season/from", id="no such day"),
            pytest.param({"from": "02-29", "to": "02-29"}, "/season", id="every four years"),
            pytest.param({"from": "04-01", "to": "13-01"}, "/season/to", id="no such month"),
            pytest.param({"from": "04-01", "to": 10}, "/season/to", id="a number"),
            pytest.param({"from": "2026-04-01", "to": "10-31"}, "/season/from", id="with a year"),
        ],
    )
    def test_refuses_what_is_none_and_says_where(self, raw, pointer):
        with pytest.raises(BadSeason) as refused:
            Season.parse(raw, zone=BERLIN, pointer="/season")
        assert [fault.pointer for fault in refused.value.faults] == [pointer]

    def test_reads_its_text(self):
        assert Season.parse({"from": "04-01", "to": "10-31"}, zone=BERLIN, pointer="") == SUMMER
        assert Season.parse({"from": "11-01", "to": "02-29"}, zone=BERLIN, pointer="") == WINTER
