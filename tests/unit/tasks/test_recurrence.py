"""Recurrence of work against the examples of RFC 5545, dates found by hand, and dateutil asked without shortcuts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from techtrack.core.errors import Invalid
from techtrack.tasks.domain.recurrence import PERSONAL, PLANNED, Endless, Limits, Recurrence

BERLIN, NEW_YORK, UTC_ZONE = "Europe/Berlin", "America/New_York", "UTC"
MICROSECOND = timedelta(microseconds=1)
FAR = datetime(2129, 1, 1, tzinfo=UTC)
MORNING = datetime(2026, 1, 1, 8)  # noqa: DTZ001 - a wall clock's
ANY = Limits(96, needs_end=False)


def ruled(rrule, start="2026-01-01T08:00", zone=UTC_ZONE, limits=ANY):
    return Recurrence.of(rrule, start=datetime.fromisoformat(start), zone=zone, limits=limits, pointer="/rrule")


def made(rrule="FREQ=DAILY", start="2026-01-01T08:00", zone=BERLIN, limits=PLANNED, **more):
    raw = {"rrule": rrule, "dtstart": start, "timezone": zone, **more}
    return Recurrence.parse(raw, limits=limits, pointer="/schedule")


def shown(moments, zone):
    """What the clock of ``zone`` shows."""
    return [moment.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M") for moment in moments]


def first(recurrence, count):
    """The first occurrences, by both ways of asking."""
    found = recurrence.between(recurrence.begins, FAR, limit=count)
    asked, at = [], recurrence.begins - MICROSECOND
    while len(asked) < count and (at := recurrence.next_after(at)):
        asked.append(at)
    assert asked == found
    return found


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# RFC 5545, 3.8.5.3: DTSTART;TZID=America/New_York:19970902T090000 where nothing else is said; the dates are those
# that the standard prints. What it gives as "..." is cut.
STANDARD = [
    pytest.param(
        "FREQ=DAILY;COUNT=10", "1997-09-02", ["1997-09-02", "1997-09-03", "1997-09-04", "1997-09-05"], id="daily"
    ),
    pytest.param(
        "FREQ=DAILY;INTERVAL=10;COUNT=5",
        "1997-09-02",
        ["1997-09-02", "1997-09-12", "1997-09-22", "1997-10-02", "1997-10-12"],
        id="every 10 days",
    ),
    pytest.param(
        "FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA",
        "1998-01-01",
        ["1998-01-01", "1998-01-02", "1998-01-03"],
        id="every day in January",
    ),
    pytest.param(
        "FREQ=WEEKLY;INTERVAL=2;WKST=SU",
        "1997-09-02",
        ["1997-09-02", "1997-09-16", "1997-09-30", "1997-10-14"],
        id="every other week",
    ),
    pytest.param(
        "FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR",
        "1997-09-01",
        ["1997-09-01", "1997-09-03", "1997-09-05", "1997-09-15", "1997-09-17"],
        id="every other week on three days",
    ),
    pytest.param(
        "FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH",
        "1997-09-02",
        [
            "1997-09-02",
            "1997-09-04",
            "1997-09-16",
            "1997-09-18",
            "1997-09-30",
            "1997-10-02",
            "1997-10-14",
            "1997-10-16",
            None,
        ],
        id="eight Tuesdays and Thursdays",
    ),
    pytest.param(
        "FREQ=MONTHLY;COUNT=10;BYDAY=1FR",
        "1997-09-05",
        ["1997-09-05", "1997-10-03", "1997-11-07", "1997-12-05", "1998-01-02"],
        id="the first Friday",
    ),
    pytest.param(
        "FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU",
        "1997-09-07",
        ["1997-09-07", "1997-09-28", "1997-11-02", "1997-11-30", "1998-01-04", "1998-01-25"],
        id="the first and last Sunday of every other month",
    ),
    pytest.param(
        "FREQ=MONTHLY;COUNT=6;BYDAY=-2MO",
        "1997-09-22",
        ["1997-09-22", "1997-10-20", "1997-11-17", "1997-12-22", "1998-01-19", "1998-02-16", None],
        id="the last but one Monday",
    ),
    pytest.param(
        "FREQ=MONTHLY;BYMONTHDAY=-3",
        "1997-09-28",
        ["1997-09-28", "1997-10-29", "1997-11-28", "1997-12-29", "1998-01-29", "1998-02-26"],
        id="the last but two days",
    ),
    pytest.param(
        "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1",
        "1997-09-30",
        ["1997-09-30", "1997-10-01", "1997-10-31", "1997-11-01", "1997-11-30"],
        id="first and last day",
    ),
    pytest.param(
        "FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15",
        "1997-09-10",
        ["1997-09-10", "1997-09-11", "1997-09-12", "1997-09-13", "1997-09-14", "1997-09-15", "1999-03-10"],
        id="every 18 months",
    ),
    pytest.param(
        "FREQ=YEARLY;COUNT=10;BYMONTH=6,7",
        "1997-06-10",
        ["1997-06-10", "1997-07-10", "1998-06-10", "1998-07-10"],
        id="in June and July",
    ),
    pytest.param(
        "FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200",
        "1997-01-01",
        ["1997-01-01", "1997-04-10", "1997-07-19", "2000-01-01", "2000-04-09", "2000-07-18", "2003-01-01"],
        id="days of the year, one of them a leap year",
    ),
    pytest.param("FREQ=YEARLY;BYDAY=20MO", "1997-05-19", ["1997-05-19", "1998-05-18", "1999-05-17"], id="20th Monday"),
    pytest.param(
        "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "1997-05-12", ["1997-05-12", "1998-05-11", "1999-05-17"], id="week 20"
    ),
    pytest.param(
        "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
        "1997-09-02",
        ["1998-02-13", "1998-03-13", "1998-11-13", "1999-08-13", "2000-10-13"],
        id="Friday the 13th",
    ),
    pytest.param(
        "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
        "1996-11-05",
        ["1996-11-05", "2000-11-07", "2004-11-02"],
        id="U.S. presidential election day",
    ),
    pytest.param(
        "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3",
        "1997-09-04",
        ["1997-09-04", "1997-10-07", "1997-11-06", None],
        id="the third of some days",
    ),
    pytest.param(
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
        "1997-09-29",
        ["1997-09-29", "1997-10-30", "1997-11-27", "1997-12-30", "1998-01-29", "1998-02-26", "1998-03-30"],
        id="the last but one working day",
    ),
    pytest.param(
        "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO",
        "1997-08-05",
        ["1997-08-05", "1997-08-10", "1997-08-19", "1997-08-24", None],
        id="a week begins on Monday",
    ),
    pytest.param(
        "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU",
        "1997-08-05",
        ["1997-08-05", "1997-08-17", "1997-08-19", "1997-08-31", None],
        id="a week begins on Sunday",
    ),
    pytest.param(
        "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5",
        "2007-01-15",
        ["2007-01-15", "2007-01-30", "2007-02-15", "2007-03-15", "2007-03-30", None],
        id="30 February is left out",
    ),
]
# Worked out with a calendar.
BY_HAND = [
    pytest.param(
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        "2026-01-30",
        ["2026-01-30", "2026-02-27", "2026-03-31", "2026-04-30", "2026-05-29", "2026-06-30"],
        id="the last working day",
    ),
    pytest.param(
        "FREQ=MONTHLY;BYMONTHDAY=31",
        "2026-01-31",
        ["2026-01-31", "2026-03-31", "2026-05-31", "2026-07-31"],
        id="months without a 31st are left out",
    ),
    pytest.param("FREQ=MONTHLY", "2026-01-31", ["2026-01-31", "2026-03-31"], id="the day of the start, likewise"),
    pytest.param("FREQ=YEARLY", "2024-02-29", ["2024-02-29", "2028-02-29", "2032-02-29"], id="a leap day"),
    pytest.param("FREQ=YEARLY", "2096-02-29", ["2096-02-29", "2104-02-29"], id="2100 is no leap year"),
    pytest.param(
        "FREQ=YEARLY;INTERVAL=20", "2026-05-01", ["2026-05-01", "2046-05-01", "2066-05-01"], id="every 20 years"
    ),
]

MORE = ["FREQ=HOURLY;INTERVAL=7;BYDAY=SA,SU", "FREQ=HOURLY;INTERVAL=5", "FREQ=DAILY", "FREQ=WEEKLY;COUNT=99"]


class TestOccurrences:
    @pytest.mark.parametrize(("rrule", "start", "expected"), STANDARD + BY_HAND)
    def test_are_those_of_the_standard(self, rrule, start, expected):
        recurrence = ruled(rrule, f"{start}T09:00", NEW_YORK)
        days = [day for day in expected if day]
        found = first(recurrence, len(expected))
        assert shown(found, NEW_YORK) == [f"{day} 09:00" for day in days]

    def test_count_of_the_standard_holds_to_the_end(self):
        assert len(first(ruled("FREQ=DAILY;COUNT=10", "1997-09-02T09:00", NEW_YORK), 20)) == 10
        january = ruled(
            "FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA", "1998-01-01T09:00", NEW_YORK
        )
        found = january.between(january.begins, FAR, limit=200)
        # UNTIL is 09:00 in New York on 31 January 2000, and included.
        assert (len(found), shown(found[-1:], NEW_YORK)) == (93, ["2000-01-31 09:00"])

    def test_every_three_hours_until_the_afternoon(self):
        """RFC 5545, 3.8.5.3: "every 3 hours from 9:00 AM to 5:00 PM on a specific day", its UNTIL put into UTC."""
        hours = ruled("FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T210000Z", "1997-09-02T09:00", NEW_YORK)
        assert [text[-5:] for text in shown(first(hours, 9), NEW_YORK)] == ["09:00", "12:00", "15:00"]

    def test_are_in_the_range_that_is_asked_its_end_left_out(self):
        daily = ruled("FREQ=DAILY")
        found = daily.between(utc("2026-03-01T08:00"), utc("2026-03-03T08:00"), limit=9)
        assert found == [utc("2026-03-01T08:00"), utc("2026-03-02T08:00")]
        assert daily.next_after(utc("2026-03-01T08:00")) == utc("2026-03-02T08:00")
        assert daily.next_after(utc("2026-03-01T07:59:59")) == utc("2026-03-01T08:00")

    def test_are_cut_where_enough(self):
        assert len(ruled("FREQ=HOURLY").between(utc("2026-01-01"), FAR, limit=25)) == 25
        assert ruled("FREQ=HOURLY").between(utc("2026-01-01"), FAR, limit=0) == []

    def test_end(self):
        ten = ruled("FREQ=DAILY;COUNT=10")
        assert ten.next_after(utc("2026-01-09T08:00")) == utc("2026-01-10T08:00")
        assert ten.next_after(utc("2026-01-10T08:00")) is None
        assert ten.between(utc("2027-01-01"), FAR, limit=9) == []
        assert ten.count == 10

    def test_begin_with_the_rule_however_early_one_asks(self):
        assert ruled("FREQ=WEEKLY").next_after(utc("1800-01-01")) == utc("2026-01-01T08:00")
        assert ruled("FREQ=WEEKLY").between(utc("1800-01-01"), utc("2026-01-02"), limit=9) == [utc("2026-01-01T08:00")]

    @settings(max_examples=120, deadline=None)
    @given(
        st.sampled_from(
            [row.values[0] for row in STANDARD + BY_HAND]
            + ["FREQ=HOURLY;INTERVAL=7;BYDAY=SA,SU", "FREQ=HOURLY;INTERVAL=5", "FREQ=DAILY", "FREQ=WEEKLY"]
        ),
        st.sampled_from([BERLIN, NEW_YORK, "Australia/Lord_Howe", "Pacific/Apia"]),
        st.integers(0, 4000),
        st.integers(1, 400),
    )
    def test_agree_with_dateutil_asked_from_the_start(self, rrule, zone, day, days):
        start = datetime(1998, 1, 1, 2, 30)  # noqa: DTZ001 - a wall clock's; half past two is what clocks leave out
        place = ZoneInfo(zone)
        low = datetime(1998, 1, 1, tzinfo=UTC) + timedelta(days=day)
        high = low + timedelta(days=days)
        try:
            recurrence = ruled(rrule, start.isoformat(), zone)
        except Invalid:
            return  # it ended before it began
        local = rrulestr(rrule, dtstart=start.replace(tzinfo=UTC))
        until = local._until.astimezone(place).replace(tzinfo=UTC) if local._until else FAR
        there = takewhile(lambda at: at <= until and at < high + timedelta(days=2), local)
        expected = {at.replace(tzinfo=place).astimezone(UTC) for at in there}
        assert recurrence.between(low, high, limit=100_000) == sorted(at for at in expected if low <= at < high)


class TestClocksThatChange:
    @pytest.mark.parametrize(
        ("zone", "start", "expected"),
        [
            pytest.param(BERLIN, "2026-03-28T08:00", ["07:00", "06:00", "06:00"], id="Berlin, an hour earlier in UTC"),
            pytest.param(BERLIN, "2026-10-24T08:00", ["06:00", "07:00", "07:00"], id="Berlin, an hour later in UTC"),
            pytest.param(NEW_YORK, "2026-03-07T08:00", ["13:00", "12:00", "12:00"], id="New York in spring"),
            pytest.param(NEW_YORK, "2026-10-31T08:00", ["12:00", "13:00", "13:00"], id="New York in autumn"),
        ],
    )
    def test_stays_at_the_hour_of_the_wall(self, zone, start, expected):
        found = first(ruled("FREQ=DAILY", start, zone), 3)
        assert [moment.strftime("%H:%M") for moment in found] == expected
        assert {text[-5:] for text in shown(found, zone)} == {"08:00"}

    def test_a_time_left_out_is_read_with_the_offset_before(self):
        """RFC 5545, 3.3.5: 2:30 on 11 March 2007 in New York is 3:30 EDT."""
        spring = first(ruled("FREQ=DAILY", "2007-03-10T02:30", NEW_YORK), 3)
        assert shown(spring, NEW_YORK) == ["2007-03-10 02:30", "2007-03-11 03:30", "2007-03-12 02:30"]
        assert spring[1] == utc("2007-03-11T07:30")
        berlin = first(ruled("FREQ=DAILY", "2026-03-28T02:30", BERLIN), 2)
        assert berlin == [utc("2026-03-28T01:30"), utc("2026-03-29T01:30")]

    def test_a_time_left_out_is_found_where_it_went_to(self):
        """Half past two in Berlin is asked for from a quarter past three on, which the clock shows before it."""
        daily = ruled("FREQ=DAILY;BYHOUR=2;BYMINUTE=30", "2026-03-01T02:30", BERLIN)
        low, high = utc("2026-03-29T01:15"), utc("2026-03-29T02:00")
        assert daily.between(low, high, limit=9) == [utc("2026-03-29T01:30")]

    def test_a_time_shown_twice_is_the_first(self):
        """RFC 5545, 3.3.5: 1:30 on 4 November 2007 in New York is EDT."""
        assert first(ruled("FREQ=DAILY", "2007-11-04T01:30", NEW_YORK), 1) == [utc("2007-11-04T05:30")]
        assert first(ruled("FREQ=DAILY", "2026-10-25T02:30", BERLIN), 1) == [utc("2026-10-25T00:30")]

    def test_hours_that_fall_together_are_one(self):
        night = ruled("FREQ=HOURLY", "2026-03-29T00:00", BERLIN)
        found = first(night, 4)
        assert shown(found, BERLIN) == [f"2026-03-29 {hour}" for hour in ("00:00", "01:00", "03:00", "04:00")]

    def test_a_day_that_a_country_left_out(self):
        """Samoa went from 29 to 31 December 2011."""
        found = first(ruled("FREQ=DAILY", "2011-12-29T08:00", "Pacific/Apia"), 3)
        assert shown(found, "Pacific/Apia") == ["2011-12-29 08:00", "2011-12-31 08:00", "2012-01-01 08:00"]


class TestDatesAddedAndLeftOut:
    def test_added_ones_come_in_their_place(self):
        found = first(made("FREQ=WEEKLY;COUNT=3", rdate=["2026-01-03T10:00", "2025-12-31T10:00"]), 9)
        assert [text[5:] for text in shown(found, BERLIN)] == [
            "12-31 10:00",
            "01-01 08:00",
            "01-03 10:00",
            "01-08 08:00",
            "01-15 08:00",
        ]

    def test_one_added_where_there_is_one_is_one(self):
        assert len(first(made("FREQ=WEEKLY;COUNT=3", rdate=["2026-01-08T08:00"]), 9)) == 3

    def test_left_out_ones_count_all_the_same(self):
        """COUNT bounds the rule, not what is left of it (RFC 5545, 3.8.5.1)."""
        found = first(made("FREQ=DAILY;COUNT=4", exdate=["2026-01-02T08:00", "2026-01-03T09:00"]), 9)
        assert [text[5:10] for text in shown(found, BERLIN)] == ["01-01", "01-03", "01-04"]

    @pytest.mark.parametrize("text", ["2026-01-02", "20260102"])
    def test_a_date_leaves_out_all_of_its_day(self, text):
        found = first(made("FREQ=DAILY;BYHOUR=8,16;COUNT=6", exdate=[text]), 9)
        assert [text[8:13] for text in shown(found, BERLIN)] == ["01 08", "01 16", "03 08", "03 16"]

    def test_an_offset_is_put_on_the_clock_of_the_place(self):
        assert made(start="2026-01-01T07:00:00Z") == made(start="2026-01-01T08:00")
        assert len(first(made("FREQ=DAILY;COUNT=2", exdate=["2026-01-02T07:00Z"]), 9)) == 1


class TestRefusal:
    @pytest.mark.parametrize(
        ("rrule", "told"),
        [
            pytest.param("FREQ=SECONDLY", "FREQ is one of", id="every second"),
            pytest.param("FREQ=MINUTELY;INTERVAL=30", "FREQ is one of", id="every half hour, in minutes"),
            pytest.param("", "not known", id="empty"),
            pytest.param("BYDAY=MO", "FREQ is missing", id="no frequency"),
            pytest.param("FREQ=DAILY;FREQ=WEEKLY", "twice", id="twice"),
            pytest.param("FREQ=DAILY;COUNT=2;UNTIL=20270101", "either COUNT or UNTIL", id="two ends"),
            pytest.param("FREQ=DAILY;COUNT=0", "COUNT", id="no times"),
            pytest.param("FREQ=DAILY;COUNT=1001", "COUNT is 1000 at most", id="counts for ever"),
            pytest.param("FREQ=DAILY;INTERVAL=0", "INTERVAL", id="no steps"),
            pytest.param("FREQ=DAILY;INTERVAL=-1", "INTERVAL", id="backwards"),
            pytest.param("FREQ=DAILY;INTERVAL=1000", "INTERVAL", id="a step too long"),
            pytest.param("FREQ=DAILY;UNTIL=20251231", "does not happen", id="over before it begins"),
            pytest.param("FREQ=DAILY;UNTIL=20261399", "no recurrence rule", id="ends on no date"),
            pytest.param("FREQ=DAILY;BYHOUR=24", "BYHOUR", id="no such hour"),
            pytest.param("FREQ=DAILY;BYHOUR=٣", "BYHOUR", id="digits of another script"),
            pytest.param("FREQ=DAILY;BYSECOND=1", "not known", id="seconds"),
            pytest.param("FREQ=DAILY;BYEASTER=1", "not known", id="not of the standard"),
            pytest.param("FREQ=DAILY;X=1\r\nEXDATE:1", "not known", id="a line of its own"),
            pytest.param("FREQ=WEEKLY;BYDAY=1MO", "numbered BYDAY", id="numbered day of a week"),
            pytest.param("FREQ=WEEKLY;BYMONTHDAY=1", "does not go with", id="day of a month in a week"),
            pytest.param("FREQ=MONTHLY;BYYEARDAY=1", "does not go with", id="day of a year in a month"),
            pytest.param(
                "FREQ=HOURLY;BYMONTH=8,3;BYYEARDAY=-192;BYHOUR=19,17;BYMINUTE=47;COUNT=2",
                "does not go with FREQ=HOURLY",
                id="took a second to read",
            ),
            pytest.param("FREQ=MONTHLY;BYWEEKNO=1;BYDAY=MO", "BYWEEKNO", id="week of a year in a month"),
            pytest.param("FREQ=YEARLY;BYWEEKNO=20", "BYWEEKNO", id="a week without a day"),
            pytest.param("FREQ=YEARLY;BYWEEKNO=20;BYDAY=1MO", "does not go with", id="a numbered day of a week"),
            pytest.param("FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS needs", id="a position in nothing"),
            pytest.param("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "no such day", id="30 February"),
            pytest.param("FREQ=HOURLY;BYMONTH=4,6;BYMONTHDAY=31,-31", "no such day", id="31 April and June"),
            pytest.param("FREQ=HOURLY;BYMINUTE=0;BYSETPOS=2", "BYSETPOS counts to 1", id="took ten seconds to refuse"),
            pytest.param("FREQ=DAILY;INTERVAL=7;BYDAY=MO", "does not happen", id="never, from a Thursday"),
            pytest.param("FREQ=HOURLY;BYMINUTE=0,30", "more than 24 times", id="every half hour"),
            pytest.param("FREQ=DAILY;BYHOUR=1,2,3,4,5;BYMINUTE=0,10,20,30,40", "more than 24", id="25 times a day"),
            pytest.param(f"FREQ=DAILY;BYHOUR={'1,' * 300}1", "500 characters", id="long"),
        ],
    )
    def test_of_rules_says_what_is_wrong_and_where(self, rrule, told):
        with pytest.raises(Invalid, match=told) as refused:
            made(rrule)
        assert [fault.pointer for fault in refused.value.faults] == ["/schedule/rrule"]

    def test_is_said_again_of_what_was_refused_before(self):
        for pointer in ("/one", "/other", "/one"):
            with pytest.raises(Invalid) as refused:
                Recurrence.of("FREQ=DAILY", start=MORNING, zone=BERLIN, limits=PERSONAL, pointer=pointer)
            assert type(refused.value) is Endless
            assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [(pointer, "endless_rrule")]

    def test_of_many_texts_reads_each_once(self):
        """Hundreds of them come in one request, and some take a quarter of a second."""
        one, other = (ruled("FREQ=DAILY;COUNT=77") for _ in range(2))
        assert one is other
        assert ruled("FREQ=DAILY;COUNT=77", zone=BERLIN) != one

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            pytest.param({"rrule": 5}, "/schedule/rrule", id="a number for a rule"),
            pytest.param({"timezone": "Berlin"}, "/schedule/timezone", id="no zone"),
            pytest.param({"timezone": None}, "/schedule/timezone", id="nothing for a zone"),
            pytest.param({"dtstart": "tomorrow"}, "/schedule/dtstart", id="no start"),
            pytest.param({"dtstart": "0001-01-01T00:00:00+14:00"}, "/schedule/dtstart", id="a start before all"),
            pytest.param({"dtstart": "2129-01-01"}, "/schedule/dtstart", id="a start after all"),
            pytest.param({"rdate": "2026-01-01"}, "/schedule/rdate", id="no list"),
            pytest.param({"rdate": ["2026-01-01", 7]}, "/schedule/rdate/1", id="a number for a date"),
            pytest.param({"exdate": ["2026-01-01"] * 101}, "/schedule/exdate", id="too many dates"),
            pytest.param(
                {"rrule": "FREQ=DAILY;COUNT=1", "exdate": ["2026-01-01"]}, "/schedule/exdate", id="nothing left"
            ),
            pytest.param({"days": 3}, "/schedule/days", id="an unknown field"),
        ],
    )
    def test_of_what_surrounds_them_says_where(self, changes, pointer):
        raw = {"rrule": "FREQ=DAILY", "dtstart": "2026-01-01T08:00", "timezone": BERLIN} | changes
        with pytest.raises(Invalid) as refused:
            Recurrence.parse(raw, limits=PLANNED, pointer="/schedule")
        assert [fault.pointer for fault in refused.value.faults] == [pointer]

    def test_of_what_is_no_object(self):
        with pytest.raises(Invalid):
            Recurrence.parse("FREQ=DAILY", limits=PLANNED, pointer="")

    def test_of_a_person_s_rule_without_an_end(self):
        with pytest.raises(Endless, match="add COUNT or UNTIL") as refused:
            ruled("FREQ=WEEKLY;BYDAY=MO", limits=PERSONAL)
        assert refused.value.faults[0].pointer == "/rrule"
        assert ruled("FREQ=WEEKLY;BYDAY=MO;COUNT=52", limits=PERSONAL).count == 52
        assert ruled("FREQ=WEEKLY;BYDAY=MO;UNTIL=20270101", limits=PERSONAL).next_after(utc("2026-12-29")) is None

    @pytest.mark.parametrize("rrule", ["FREQ=HOURLY", "FREQ=HOURLY;INTERVAL=2;BYMINUTE=0,30", "FREQ=DAILY;BYHOUR=1,2"])
    def test_spares_what_comes_up_to_24_times_a_day(self, rrule):
        assert made(rrule)

    @settings(max_examples=200, deadline=None)
    @given(st.text("FREQ=DAILYWKMONTHUNCBYS;,-+0123456789\r\n", max_size=60), st.sampled_from(["", "FREQ=DAILY;"]))
    def test_of_any_text_that_is_no_rule(self, text, before):
        try:
            recurrence = made(before + text)
        except Invalid:
            return
        recurrence.next_after(utc("2026-11-22"))
