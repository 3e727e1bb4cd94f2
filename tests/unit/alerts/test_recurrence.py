"""Recurring windows against a slow second opinion: minute by minute, what the clock on the wall has shown so far."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from techtrack.alerts.domain import recurrence
from techtrack.alerts.domain.recurrence import Recurrence
from techtrack.core.clock import from_micros, to_micros
from techtrack.core.errors import Invalid

MINUTE = 60_000_000
DAY = 1440
BERLIN = "Europe/Berlin"
NEW_YEAR = datetime.fromisoformat("2025-01-01T00:00:00")
# Midnight UTC of days in which clocks change: an hour left out or given twice, and half an hour of it.
CHANGES = {
    BERLIN: ["2026-03-29", "2026-10-25"],
    "America/New_York": ["2026-03-08", "2026-11-01"],
    "Australia/Lord_Howe": ["2026-04-04", "2026-10-03"],
    "UTC": ["2026-06-01"],
}
RULES = [
    "FREQ=DAILY",
    "FREQ=DAILY;INTERVAL=3",
    "FREQ=DAILY;BYHOUR=1,2,3;BYMINUTE=0,30",
    "FREQ=WEEKLY;BYDAY=SA,SU",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU;WKST=SU",
    "FREQ=MONTHLY;BYDAY=-1SU,1SU,2SU",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=-1,-3,1",
    "FREQ=MONTHLY;BYMONTHDAY=8,25,29",
    "FREQ=YEARLY",
    "FREQ=YEARLY;BYMONTH=3,4,10,11;BYDAY=SU",
    "FREQ=HOURLY;INTERVAL=5",
    "FREQ=HOURLY;BYMINUTE=0,20",
    "FREQ=DAILY;COUNT=40",
    "FREQ=DAILY;UNTIL=20261025T020000",
]


def at(text: str) -> int:
    """A time in UTC as µs."""
    return to_micros(datetime.fromisoformat(text).replace(tzinfo=UTC))


def made(rrule: str, duration: str = "PT8H", zone: str = BERLIN, **more) -> Recurrence:
    return Recurrence.parse({"timezone": zone, "rrule": rrule, "duration": duration, **more}, pointer="/schedule")


def opinion(rrule: str, start: datetime, duration: timedelta, zone: str, first: int, minutes: int) -> list[bool]:
    """Whether each of ``minutes`` from ``first`` (µs) on is in a window; plain, slow, and told apart by nothing."""
    moment = from_micros(first).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    low, high = moment - duration - timedelta(days=3), moment + timedelta(minutes=minutes, days=3)
    happens = rrulestr(rrule, dtstart=start).between(low, high, inc=True)
    told, shown = [], low
    # The mark of the highest tide: an hour that comes twice is no news the second time.
    for minute in range(-2 * DAY, minutes):
        wall = from_micros(first + minute * MINUTE).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        shown = max(shown, wall)
        if minute >= 0:
            told.append(any(begin <= shown < begin + duration for begin in happens))
    return told


@st.composite
def questions(draw):
    """A rule, its start and duration, and two days around a change of clocks."""
    zone = draw(st.sampled_from(sorted(CHANGES)))
    first = at(draw(st.sampled_from(CHANGES[zone]))) - draw(st.integers(0, 18)) * 60 * MINUTE
    start = NEW_YEAR + timedelta(days=draw(st.integers(0, 400)), minutes=draw(st.integers(0, 287)) * 5)
    duration = timedelta(minutes=draw(st.sampled_from([10, 30, 45, 60, 150, 480, 1440, 2000, 5000])))
    return draw(st.sampled_from(RULES)), start, duration, zone, first


class TestRecurrence:
    @settings(max_examples=60, deadline=None)
    @given(questions())
    def test_agrees_with_a_walk_minute_by_minute(self, question):
        rule, start, duration, zone, first = question
        told = opinion(*question, 2 * DAY)
        recurring = Recurrence.of(rule, start=start, duration=duration, zone=zone)
        assert [recurring.covers(first + minute * MINUTE) for minute in range(2 * DAY)] == told
        for minute in range(0, 2 * DAY, 97):
            change = next((later for later in range(minute + 1, 2 * DAY) if told[later] is not told[minute]), None)
            answer = recurring.next_change(first + minute * MINUTE)
            if change is None:
                assert answer is None or answer >= first + 2 * DAY * MINUTE
            else:
                assert answer == first + change * MINUTE
        inside = [
            any(low <= first + minute * MINUTE < high for low, high in recurring.windows(first, first + DAY * MINUTE))
            for minute in range(DAY)
        ]
        assert inside == told[:DAY]

    def test_a_planted_clock_that_counts_hours_is_caught(self, monkeypatch):
        """That is the mistake that everybody makes: to add the duration to the time in UTC."""
        question = ("FREQ=DAILY", NEW_YEAR + timedelta(hours=22), timedelta(hours=8), BERLIN, at("2026-03-28"))
        reached = recurrence._reached

        def hours(local, zone):
            begin = local if local.hour == 22 else local - timedelta(hours=8)
            return reached(begin, zone) + (local - begin) // timedelta(microseconds=1)

        monkeypatch.setattr(recurrence, "_reached", hours)
        rule, start, duration, zone, first = question
        wrong = Recurrence.of(rule, start=start, duration=duration, zone=zone)
        assert [wrong.covers(first + n * MINUTE) for n in range(2 * DAY)] != opinion(*question, 2 * DAY)

    def test_eight_hours_of_a_night_in_which_clocks_change_end_at_six(self):
        nights = made("FREQ=DAILY;BYHOUR=22")
        assert nights.windows(at("2026-03-28T12:00"), at("2026-03-29T12:00")) == [
            (at("2026-03-28T21:00"), at("2026-03-29T04:00"))
        ]
        assert nights.windows(at("2026-10-24T12:00"), at("2026-10-25T12:00")) == [
            (at("2026-10-24T20:00"), at("2026-10-25T05:00"))
        ]

    def test_what_begins_in_an_hour_that_is_left_out_begins_right_after_it(self):
        early = made("FREQ=DAILY;BYHOUR=2;BYMINUTE=30", "PT2H")
        assert early.windows(at("2026-03-29"), at("2026-03-29T12:00")) == [
            (at("2026-03-29T01:00"), at("2026-03-29T02:30"))
        ]
        # Half past two to three: the clock never showed it.
        assert made("FREQ=DAILY;BYHOUR=2;BYMINUTE=30", "PT30M").windows(at("2026-03-29"), at("2026-03-29T12:00")) == []

    def test_windows_longer_than_their_period_are_one(self):
        always = made("FREQ=DAILY", "P2D", dtstart="2026-11-02T06:00:00")
        begin = at("2026-11-02T05:00")
        assert always.next_change(at("2026-10-01")) == begin
        assert not always.covers(begin - 1)
        assert always.covers(begin)
        assert always.next_change(begin) is None
        assert always.windows(begin, at("2030-01-01")) == [(begin, at("2030-01-01"))]

    def test_ends_where_its_rule_does(self):
        ten = made("FREQ=DAILY;COUNT=10", dtstart="2026-11-02T06:00:00")
        last = at("2026-11-11T05:00")
        assert ten.next_change(last - MINUTE) == last
        assert ten.next_change(last + 8 * 60 * MINUTE) is None
        # An end in UTC, on the clock of the place; a date means all of the day.
        for until in ("20261111T050000Z", "20261111T060000", "20261111"):
            bounded = made(f"FREQ=DAILY;UNTIL={until}", dtstart="2026-11-02T06:00:00")
            assert bounded.next_change(last - MINUTE) == last
            assert bounded.next_change(last + 8 * 60 * MINUTE) is None
        before = made("FREQ=DAILY;UNTIL=20261111T045959Z", dtstart="2026-11-02T06:00:00")
        assert before.next_change(last - MINUTE) is None

    def test_finds_a_leap_day_years_ahead(self):
        leap = made("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "P1D", zone="UTC")
        assert leap.next_change(at("2026-11-22")) == at("2028-02-29")
        assert leap.next_change(at("2028-02-29")) == at("2028-03-01")

    def test_answers_the_same_in_any_order(self):
        rule = "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=6"
        moments = [at("2026-11-22") + step * 37 * MINUTE for step in range(800)]
        there = made(rule)
        forth = [(there.covers(moment), there.next_change(moment)) for moment in moments]
        back = [(there.covers(moment), there.next_change(moment)) for moment in reversed(moments)]
        assert forth == back[::-1] == [(made(rule).covers(m), made(rule).next_change(m)) for m in moments]

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            pytest.param({"rrule": "FREQ=MINUTELY"}, "/schedule/rrule", id="every minute"),
            pytest.param({"rrule": "FREQ=SECONDLY"}, "/schedule/rrule", id="every second"),
            pytest.param({"rrule": ""}, "/schedule/rrule", id="empty"),
            pytest.param({"rrule": "BYDAY=MO"}, "/schedule/rrule", id="no frequency"),
            pytest.param({"rrule": "FREQ=DAILY;FREQ=DAILY"}, "/schedule/rrule", id="twice"),
            pytest.param({"rrule": "FREQ=DAILY;BYSECOND=1"}, "/schedule/rrule", id="seconds"),
            pytest.param({"rrule": "FREQ=DAILY;BYEASTER=1"}, "/schedule/rrule", id="not of the standard"),
            pytest.param({"rrule": "FREQ=DAILY;BYHOUR=24"}, "/schedule/rrule", id="no such hour"),
            pytest.param({"rrule": "FREQ=DAILY;BYHOUR=٣"}, "/schedule/rrule", id="digits of another script"),
            pytest.param({"rrule": "FREQ=WEEKLY;BYDAY=1MO"}, "/schedule/rrule", id="numbered day of a week"),
            pytest.param({"rrule": "FREQ=MONTHLY;BYDAY=99MO;BYMONTH=1"}, "/schedule/rrule", id="never"),
            pytest.param({"rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}, "/schedule/rrule", id="no such day"),
            pytest.param({"rrule": "FREQ=DAILY;INTERVAL=7;BYDAY=TU"}, "/schedule/rrule", id="never, from a Monday"),
            pytest.param({"rrule": "FREQ=DAILY;COUNT=1;UNTIL=20270101"}, "/schedule/rrule", id="two ends"),
            pytest.param({"rrule": "FREQ=DAILY;UNTIL=19990101"}, "/schedule/rrule", id="over before it begins"),
            pytest.param({"rrule": "FREQ=DAILY;UNTIL=20261399"}, "/schedule/rrule", id="no date"),
            pytest.param(
                {"rrule": f"FREQ=DAILY;BYMINUTE={','.join(map(str, range(60)))};BYHOUR=1,2"}, "/schedule/rrule"
            ),
            pytest.param({"rrule": f"FREQ=DAILY;BYHOUR={'1,' * 300}1"}, "/schedule/rrule", id="long"),
            pytest.param({"rrule": 5}, "/schedule/rrule", id="a number"),
            pytest.param({"duration": "PT0S"}, "/schedule/duration", id="lasts nothing"),
            pytest.param({"duration": "P400D"}, "/schedule/duration", id="lasts years"),
            pytest.param({"duration": "8 hours"}, "/schedule/duration", id="no duration"),
            pytest.param({"timezone": "Berlin"}, "/schedule/timezone", id="no zone"),
            pytest.param({"dtstart": "tomorrow"}, "/schedule/dtstart", id="no start"),
            pytest.param({"dtstart": "0001-01-01T00:00:00+14:00"}, "/schedule/dtstart", id="a start before all"),
            pytest.param({"days": 3}, "/schedule/days", id="an unknown field"),
        ],
    )
    def test_refuses_what_is_no_window_and_says_where(self, changes, pointer):
        raw = {"timezone": BERLIN, "rrule": "FREQ=DAILY", "duration": "PT8H"} | changes
        with pytest.raises(Invalid) as refused:
            Recurrence.parse(raw, pointer="/schedule")
        assert [fault.pointer for fault in refused.value.faults] == [pointer]

    @pytest.mark.parametrize(
        ("rule", "most"),
        [
            pytest.param("FREQ=HOURLY;BYSETPOS=2", 1, id="an hour has one"),
            pytest.param("FREQ=HOURLY;BYMINUTE=0,30;BYHOUR=1,2;BYSETPOS=-3", 2, id="hours leave out, and add none"),
            pytest.param("FREQ=DAILY;BYHOUR=1,2;BYMINUTE=0,30;BYSETPOS=5", 4, id="a day"),
            pytest.param("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=32,40", 31, id="a month, whatever its days"),
        ],
    )
    def test_refuses_a_place_that_no_period_has(self, rule, most):
        """Without that dateutil looks for it through thousands of years, for ten seconds."""
        with pytest.raises(Invalid, match=f"BYSETPOS counts to {most} here"):
            Recurrence.parse({"timezone": BERLIN, "rrule": rule, "duration": "PT1H"}, pointer="/schedule")

    def test_refuses_what_is_no_object(self):
        with pytest.raises(Invalid):
            Recurrence.parse("FREQ=DAILY", pointer="/schedule")

    @settings(max_examples=150, deadline=None)
    @given(
        st.text("FREQ=DAILYWKMONTHUNCBYS;,-+0123456789", max_size=60), st.sampled_from(["", "FREQ=DAILY;", RULES[6]])
    )
    def test_any_text_is_a_rule_or_refused(self, text, before):
        try:
            recurring = made(before + text, dtstart="2026-01-01T00:00:00")
        except Invalid:
            return
        recurring.next_change(at("2026-11-22"))

    def test_a_start_with_an_offset_is_put_on_the_clock_of_the_place(self):
        assert made("FREQ=DAILY", dtstart="2026-11-02T05:00:00Z") == made("FREQ=DAILY", dtstart="2026-11-02T06:00:00")
