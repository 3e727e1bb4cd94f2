"""Edges of buckets by the local clock, held against walking through time five minutes at a time in plain Python."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from techtrack.core.clock import to_micros
from techtrack.telemetry.domain.windows import Interval, Unit, edges, nice_interval, read_interval

STEP = timedelta(minutes=5)
MONDAY = date(1970, 1, 5).toordinal()
# A place, a day near which its clock changes, and by how much it is set back in autumn.
CHANGES = [
    pytest.param("Europe/Berlin", "2026-03-28", id="forward at two"),
    pytest.param("Europe/Berlin", "2026-10-24", id="back at three"),
    pytest.param("America/New_York", "2026-10-31", id="back, west of Greenwich"),
    pytest.param("Australia/Lord_Howe", "2026-04-04", id="back by half an hour"),
    pytest.param("Australia/Lord_Howe", "2026-10-03", id="forward by half an hour"),
    pytest.param("America/Havana", "2026-10-31", id="midnight comes twice"),
    pytest.param("America/Santiago", "2026-09-05", id="midnight does not come"),
    pytest.param("Pacific/Apia", "2011-12-28", id="a day does not come"),
    pytest.param("Asia/Kolkata", "2026-05-01", id="half past the hour"),
    pytest.param("Asia/Kathmandu", "2026-05-01", id="a quarter to the hour"),
    pytest.param("UTC", "2026-05-01", id="no zone at all"),
]
INTERVALS = [
    "PT10M",
    "PT15M",
    "PT20M",
    "PT30M",
    "PT1H",
    "PT2H",
    "PT6H",
    "PT12H",
    "P1D",
    "P2D",
    "P1W",
    "P1M",
    "P3M",
    "P1Y",
]


def repeated(zone: ZoneInfo, moment: datetime) -> timedelta:
    """By how much the clock is set back around a moment, looked for by comparing offsets a day apart."""
    offsets = [(moment + timedelta(hours=hours)).astimezone(zone).utcoffset() for hours in range(-30, 31)]
    return max((a - b for a, b in pairwise(offsets)), default=timedelta(0))


def bucket(interval: Interval, zone: ZoneInfo, moment: datetime) -> tuple:
    """The name of the bucket that a moment falls into."""
    local = moment.astimezone(zone)
    match interval.unit:
        case Unit.DAY:
            return (local.date().toordinal() - date(1970, 1, 1).toordinal()) // interval.number
        case Unit.WEEK:
            return (local.date().toordinal() - MONDAY) // 7 // interval.number
        case Unit.MONTH:
            return (local.year * 12 + local.month - 1) // interval.number
        case Unit.YEAR:
            return local.year // interval.number
    minutes = (local.hour * 60 + local.minute) // (interval.number // 60_000_000)
    twice = timedelta(microseconds=interval.number) <= repeated(zone, moment)
    return (local.date(), minutes, local.fold if twice else 0)


def by_walking(interval: Interval, zone: ZoneInfo, start: datetime, end: datetime) -> list[int]:
    """Every moment between start and end at which another bucket begins."""
    found, before, moment = [], bucket(interval, zone, start), start
    while (moment := moment + STEP) < end:
        now = bucket(interval, zone, moment)
        if now != before:
            found.append(to_micros(moment))
        before = now
    return found


class TestEdges:
    @pytest.mark.parametrize(("zone", "day"), CHANGES)
    @pytest.mark.parametrize("text", INTERVALS)
    def test_lie_where_the_local_clock_turns_to_another_bucket(self, zone, day, text):
        interval, place = read_interval(text), ZoneInfo(zone)
        start = datetime.fromisoformat(day).replace(tzinfo=UTC)
        end = start + timedelta(days=4)
        found = edges(interval, start=to_micros(start), end=to_micros(end), zone=place).tolist()
        assert found[1:-1] == by_walking(interval, place, start, end)
        assert found[0] <= to_micros(start)
        assert found[-1] >= to_micros(end)

    @settings(max_examples=60, deadline=None)
    @given(
        st.sampled_from(
            ["Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Tehran", "America/Sao_Paulo"]
        ),
        st.sampled_from(INTERVALS),
        st.integers(13_000, 23_000).map(lambda days: datetime.fromtimestamp(days * 86_400, UTC)),
    )
    def test_lie_there_at_any_time_of_any_zone(self, zone, text, start):
        interval, place = read_interval(text), ZoneInfo(zone)
        end = start + timedelta(days=2)
        found = edges(interval, start=to_micros(start), end=to_micros(end), zone=place).tolist()
        assert found[1:-1] == by_walking(interval, place, start, end)

    @pytest.mark.parametrize(
        ("day", "hours"),
        [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)],
        ids=["spring", "autumn", "summer"],
    )
    def test_give_a_local_day_its_own_hours(self, day, hours):
        berlin = ZoneInfo("Europe/Berlin")
        start = datetime.fromisoformat(day).replace(tzinfo=berlin)
        end = (start + timedelta(days=1)).replace(tzinfo=berlin)
        found = edges(read_interval("P1D"), start=to_micros(start), end=to_micros(end), zone=berlin)
        assert found.tolist() == [to_micros(start), to_micros(end)]
        hourly = edges(read_interval("PT1H"), start=to_micros(start), end=to_micros(end), zone=berlin)
        assert len(hourly) - 1 == hours

    def test_begin_weeks_on_monday_and_quarters_in_january(self):
        start, end = (to_micros(datetime(2026, 11, day, tzinfo=UTC)) for day in (21, 22))
        week = edges(read_interval("P1W"), start=start, end=end, zone=ZoneInfo("UTC"))
        assert week[0] == to_micros(datetime(2026, 11, 16, tzinfo=UTC))
        quarter = edges(read_interval("P3M"), start=start, end=end, zone=ZoneInfo("UTC"))
        assert [quarter[0], quarter[1]] == [
            to_micros(datetime(2026, 10, 1, tzinfo=UTC)),
            to_micros(datetime(2027, 1, 1, tzinfo=UTC)),
        ]

    def test_of_hours_that_do_not_divide_a_day_count_from_1970(self):
        seven = read_interval("PT7H")
        found = edges(seven, start=10**15, end=10**15 + 10**11, zone=ZoneInfo("Europe/Berlin"))
        assert (found % seven.number == 0).all()
        assert found[0] <= 10**15 < found[1]

    def test_a_planted_oracle_that_forgets_the_fold_is_caught(self):
        """Were the second 02:30 the same as the first, an autumn day would lose an hour."""
        berlin, hour = ZoneInfo("Europe/Berlin"), read_interval("PT1H")
        first, second = (datetime(2026, 10, 25, hours, 30, tzinfo=UTC) for hours in (0, 1))
        assert bucket(hour, berlin, first)[:2] == bucket(hour, berlin, second)[:2]
        assert bucket(hour, berlin, first) != bucket(hour, berlin, second)


class TestReading:
    @pytest.mark.parametrize("text", ["PT1S", "PT10S", "PT15M", "PT1H30M", "PT24H", "P1D", "P2W", "P3M", "P10Y"])
    def test_gives_back_what_was_written(self, text):
        assert str(read_interval(text)) == text

    def test_takes_days_beside_hours_for_24_of_them(self):
        assert str(read_interval("P1DT12H")) == "PT36H"

    @pytest.mark.parametrize(
        "text",
        ["", "P", "PT", "PT0S", "P0D", "1h", "PT0.5S", "P1Y2M", "-PT1H", "P11Y", "PT99999999999H", "P1D ", "P\u0661D"],
    )
    def test_refuses_other_text(self, text):
        assert read_interval(text) is None


class TestNiceInterval:
    @pytest.mark.parametrize(
        ("length", "points", "interval"),
        [
            pytest.param(timedelta(days=1), 500, "PT5M", id="a day in 500 points"),
            pytest.param(timedelta(days=1), 24, "PT1H", id="exactly an hour"),
            pytest.param(timedelta(seconds=10), 500, "PT1S", id="never below a second"),
            pytest.param(timedelta(days=365), 365, "P1D", id="a year by day"),
            pytest.param(timedelta(days=3650), 120, "P3M", id="ten years"),
        ],
    )
    def test_chooses_what_a_person_would(self, length, points, interval):
        assert str(nice_interval(length // timedelta(microseconds=1), points=points)) == interval
