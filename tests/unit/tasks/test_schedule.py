"""When work by the calendar is due: lead time, season, what was missed, and counting from completions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from techtrack.core.errors import Invalid
from techtrack.tasks.domain.recurrence import PERSONAL, PLANNED, Endless, Recurrence
from techtrack.tasks.domain.schedule import Anchor, CatchUp, History, Schedule, Terms, Turn
from techtrack.tasks.domain.season import Season

BERLIN = ZoneInfo("Europe/Berlin")
DAY = timedelta(days=1)
MADE = History(datetime(2026, 1, 1, tzinfo=UTC))
SUMMER = Season((4, 1), (10, 31), BERLIN)


def local(text):
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


def schedule(rrule="FREQ=DAILY", start="2026-01-02T08:00", limits=PLANNED, **more):
    raw = {"rrule": rrule, "dtstart": start, "timezone": "Europe/Berlin", **more}
    return Schedule.parse(raw, limits=limits, pointer="/schedule")


def due(schedule, now, history=MADE, terms=Terms()):  # noqa: B008 - frozen
    turn = schedule.turn(history, terms=terms, now=local(now))
    return turn and turn.due


class TestTurn:
    def test_is_the_next_date(self):
        found = schedule("FREQ=WEEKLY").turn(MADE, terms=Terms(), now=local("2026-01-01T12:00"))
        assert found == Turn(local("2026-01-02T08:00"), local("2026-01-02T08:00"))

    def test_opens_before_it_is_due(self):
        terms = Terms(lead=timedelta(days=14))
        found = schedule("FREQ=YEARLY", "2026-06-20T08:00").turn(MADE, terms=terms, now=local("2026-06-06T07:59"))
        assert found == Turn(local("2026-06-20T08:00"), local("2026-06-06T08:00"))

    def test_a_date_that_became_a_task_is_settled(self):
        weekly, settled = schedule("FREQ=WEEKLY"), History(local("2026-01-02T08:00"), made=1)
        assert due(weekly, "2026-01-02T09:00", settled) == local("2026-01-09T08:00")

    def test_dates_before_the_schedule_was_made_are_not_missed(self):
        daily = schedule(start="2020-01-01T08:00", catch_up="all")
        assert due(daily, "2026-01-01T00:30") == local("2026-01-01T08:00")

    def test_ends_with_its_rule(self):
        twice = schedule("FREQ=DAILY;COUNT=2")
        assert due(twice, "2026-02-01", History(local("2026-01-03T08:00"))) is None

    def test_an_hour_of_the_wall_stays_when_clocks_change(self):
        settled = History(local("2026-03-28T08:00"))
        assert due(schedule(), "2026-03-28T09:00", settled) == datetime(2026, 3, 29, 6, tzinfo=UTC)


class TestMissedDates:
    """Weekly on Fridays from 2 January 2026, not looked at for some weeks."""

    AWAY = "2026-01-28T08:00"  # Wednesday: 2, 9, 16 and 23 January have passed

    @pytest.mark.parametrize(
        ("catch_up", "expected", "missed"),
        [
            pytest.param("skip", "2026-01-30T08:00", 4, id="none is made up for"),
            pytest.param("one", "2026-01-23T08:00", 3, id="the last stands for all"),
            pytest.param("all", "2026-01-02T08:00", 0, id="each, from the oldest on"),
        ],
    )
    def test_become_what_was_chosen(self, catch_up, expected, missed):
        turn = schedule("FREQ=WEEKLY", catch_up=catch_up).turn(MADE, terms=Terms(), now=local(self.AWAY))
        assert (turn.due, turn.missed) == (local(expected), missed)

    def test_all_come_one_after_the_other(self):
        weekly, history, found = schedule("FREQ=WEEKLY", catch_up="all"), MADE, []
        while (turn := weekly.turn(history, terms=Terms(), now=local(self.AWAY))).opens <= local(self.AWAY):
            found.append(turn.due.day)
            history = History(turn.due, closed=local(self.AWAY), made=len(found))
        assert (found, turn.due) == ([2, 9, 16, 23], local("2026-01-30T08:00"))

    @pytest.mark.parametrize("catch_up", ["skip", "one"])
    def test_that_passed_while_a_task_was_open_are_that_task_s(self, catch_up):
        history = History(local("2026-01-02T08:00"), closed=local("2026-01-27T15:00"), made=1)
        turn = schedule("FREQ=WEEKLY", catch_up=catch_up).turn(history, terms=Terms(), now=local(self.AWAY))
        assert turn == Turn(local("2026-01-30T08:00"), local("2026-01-30T08:00"))

    @pytest.mark.parametrize(
        ("now", "expected"),
        [
            pytest.param("2026-01-23T08:00", "2026-01-23T08:00", id="on the second"),
            pytest.param("2026-01-24T08:00", "2026-01-23T08:00", id="a day late: the server was away"),
            pytest.param("2026-01-24T08:01", "2026-01-30T08:00", id="later"),
        ],
    )
    def test_are_those_that_nobody_looked_at_within_a_day(self, now, expected):
        assert due(schedule("FREQ=WEEKLY", catch_up="skip"), now) == local(expected)

    def test_of_every_hour_the_last_is_still_good(self):
        hourly = schedule("FREQ=HOURLY", catch_up="skip")
        assert due(hourly, "2026-01-05T12:40") == local("2026-01-05T12:00")
        # The next task is open already.
        assert due(hourly, "2026-01-05T12:40", terms=Terms(timedelta(minutes=30))) == local("2026-01-05T13:00")

    def test_with_a_long_lead_time_the_nearest_date_comes_first(self):
        lead = Terms(timedelta(days=20))
        for catch_up in ("skip", "one", "all"):
            assert due(schedule("FREQ=WEEKLY", catch_up=catch_up), "2026-01-01", terms=lead) == local(
                "2026-01-02T08:00"
            )

    def test_are_looked_for_so_far_back_and_no_farther(self):
        hourly = schedule("FREQ=HOURLY", "2010-01-01T08:00", catch_up="all")
        now = local("2026-01-01T00:00")
        turn = hourly.turn(History(local("2010-01-01T00:00")), terms=Terms(), now=now)
        assert timedelta(days=80) < now - turn.due < timedelta(days=90)

    @settings(max_examples=60, deadline=None)
    @given(
        st.sampled_from(["FREQ=HOURLY;INTERVAL=5", "FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO,TH", "FREQ=MONTHLY"]),
        st.sampled_from(list(CatchUp)),
        st.integers(0, 60),
        st.sampled_from([None, SUMMER]),
        st.lists(st.integers(1, 2000), min_size=1, max_size=12),
    )
    def test_no_date_brings_two_tasks_and_none_comes_before_its_time(self, rrule, catch_up, lead, season, hours):
        ruled, terms = schedule(rrule, catch_up=catch_up), Terms(timedelta(hours=lead), season)
        history, now, found = MADE, local("2026-01-01T00:00"), []
        for pause in hours:
            now += timedelta(hours=pause)
            turn = ruled.turn(history, terms=terms, now=now)
            if turn.opens <= now:
                found.append(turn.due)
                history = History(turn.due, closed=now, made=len(found))
            else:
                assert turn.due > now
        assert found == sorted(set(found))
        assert all(season is None or season.includes(one) for one in found)


class TestSeasons:
    def test_dates_outside_are_left_out(self):
        monthly, terms = schedule("FREQ=MONTHLY", "2026-01-15T08:00"), Terms(season=SUMMER)
        assert due(monthly, "2026-01-02", terms=terms) == local("2026-04-15T08:00")
        late = History(local("2026-10-15T08:00"))
        assert due(monthly, "2026-10-16", late, terms) == local("2027-04-15T08:00")

    def test_none_is_missed_in_winter(self):
        weekly, terms = schedule("FREQ=WEEKLY", catch_up="all"), Terms(season=SUMMER)
        assert due(weekly, "2026-04-04", terms=terms) == local("2026-04-03T08:00")

    def test_it_begins_with_its_first_morning(self):
        twice = schedule("FREQ=DAILY;BYHOUR=6,18", "2026-01-02T06:00")
        evening = History(local("2026-03-31T06:00"))
        assert due(twice, "2026-03-31T07:00", evening, Terms(season=SUMMER)) == local("2026-04-01T06:00")

    def test_a_rule_that_never_meets_it(self):
        yearly = schedule("FREQ=YEARLY", "2026-01-15T08:00")
        assert not yearly.meets(Terms(season=SUMMER))
        assert yearly.meets(Terms())
        assert due(yearly, "2026-01-02", terms=Terms(season=SUMMER)) is None

    def test_a_rare_day_is_found(self):
        friday = schedule("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "2026-01-01T08:00")
        assert due(friday, "2026-01-02", terms=Terms(season=Season((8, 1), (8, 31), BERLIN))) == local(
            "2027-08-13T08:00"
        )


class TestCountedFromCompletion:
    @pytest.mark.parametrize(
        ("rrule", "closed", "expected"),
        [
            pytest.param("FREQ=DAILY;INTERVAL=10", "2026-03-03T15:20", "2026-03-13T08:00", id="ten days later"),
            pytest.param("FREQ=DAILY", "2026-03-28T15:20", "2026-03-29T08:00", id="clocks change"),
            pytest.param("FREQ=WEEKLY;INTERVAL=2", "2026-03-03T23:59", "2026-03-17T08:00", id="two weeks later"),
            pytest.param("FREQ=MONTHLY;INTERVAL=3", "2026-11-30T09:00", "2027-02-28T08:00", id="a shorter month"),
            pytest.param("FREQ=MONTHLY", "2026-01-31T09:00", "2026-02-28T08:00", id="not two months later"),
            pytest.param("FREQ=MONTHLY", "2026-03-31T09:00", "2026-04-30T08:00", id="the last day it has"),
            pytest.param("FREQ=YEARLY", "2028-02-29T09:00", "2029-02-28T08:00", id="a leap day"),
            pytest.param("FREQ=HOURLY;INTERVAL=6", "2026-03-28T22:00", "2026-03-29T05:00", id="hours are hours"),
        ],
    )
    def test_is_so_much_later(self, rrule, closed, expected):
        floating = schedule(rrule, "2026-01-02T08:00", anchor="completed")
        history = History(local("2026-01-02T08:00"), closed=local(closed), made=1)
        assert due(floating, "2030-01-01", history) == local(expected)

    def test_the_first_one_is_the_start(self):
        assert due(schedule("FREQ=MONTHLY", anchor="completed"), "2026-01-01") == local("2026-01-02T08:00")

    def test_is_never_missed(self):
        floating = schedule("FREQ=DAILY", anchor="completed")
        turn = floating.turn(
            History(MADE.settled, local("2026-01-02T09:00"), 1), terms=Terms(), now=local("2026-12-01")
        )
        assert (turn.due, turn.missed) == (local("2026-01-03T08:00"), 0)

    def test_ends_after_so_many(self):
        floating = schedule("FREQ=DAILY;COUNT=3", anchor="completed")
        assert due(floating, "2026-03-01", History(MADE.settled, local("2026-02-20T09:00"), 2))
        assert due(floating, "2026-03-01", History(MADE.settled, local("2026-02-20T09:00"), 3)) is None

    @pytest.mark.parametrize("end", [";COUNT=5", ""], ids=["with a count", "without an end"])
    def test_ends_before_the_years_that_a_task_cannot_name(self, end):
        floating = schedule("FREQ=YEARLY;INTERVAL=40" + end, anchor="completed")
        assert due(floating, "2026-01-02", History(MADE.settled, local("2026-01-02T09:00"), 1))
        assert due(floating, "2066-01-02", History(MADE.settled, local("2066-01-02T09:00"), 2)) is None

    def test_ends_with_its_last_day(self):
        floating = schedule("FREQ=DAILY;INTERVAL=10;UNTIL=20260301", anchor="completed")
        assert due(floating, "2026-01-01", History(MADE.settled, local("2026-02-19T09:00"), 1))
        assert due(floating, "2026-01-01", History(MADE.settled, local("2026-02-20T09:00"), 1)) is None

    def test_waits_for_the_season(self):
        """It is moved there: left out it would never come back."""
        floating, terms = schedule("FREQ=MONTHLY", anchor="completed"), Terms(season=SUMMER)
        assert schedule("FREQ=YEARLY", anchor="completed").meets(terms)
        history = History(MADE.settled, local("2026-10-20T09:00"), 1)
        assert due(floating, "2026-10-21", history, terms) == local("2027-04-01T08:00")


class TestUpcoming:
    def test_gives_the_dates_of_a_year(self):
        monthly = schedule("FREQ=MONTHLY", "2026-01-15T08:00")
        found = monthly.upcoming(MADE, terms=Terms(season=SUMMER), end=local("2027-01-01"), limit=99)
        assert [one.astimezone(BERLIN).month for one in found] == [4, 5, 6, 7, 8, 9, 10]
        assert monthly.upcoming(MADE, terms=Terms(), end=local("2027-01-01"), limit=2) == [
            local("2026-01-15T08:00"),
            local("2026-02-15T08:00"),
        ]

    @pytest.mark.parametrize(
        ("terms", "limit"),
        [
            pytest.param(Terms(), 3, id="those that are told"),
            pytest.param(Terms(season=SUMMER), 10_000, id="many, since most may lie out of season"),
        ],
    )
    def test_looks_for_no_more_than_it_needs(self, terms, limit, monkeypatch):
        asked, between = [], Recurrence.between

        def spy(self, start, end, *, limit):
            asked.append(limit)
            return between(self, start, end, limit=limit)

        monkeypatch.setattr(Recurrence, "between", spy)
        hourly = schedule("FREQ=HOURLY", "2026-01-15T08:00")
        assert len(hourly.upcoming(MADE, terms=terms, end=local("2027-01-01"), limit=3)) == 3
        assert asked == [limit]

    def test_takes_each_task_as_done_in_time(self):
        floating = schedule("FREQ=MONTHLY;COUNT=4", "2026-01-31T08:00", anchor="completed")
        found = floating.upcoming(MADE, terms=Terms(), end=local("2027-01-01"), limit=99)
        assert [one.astimezone(BERLIN).strftime("%m-%d") for one in found] == ["01-31", "02-28", "03-28", "04-28"]

    @settings(max_examples=40, deadline=None)
    @given(st.sampled_from(["FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO,TH", "FREQ=MONTHLY"]), st.sampled_from(list(Anchor)))
    def test_says_what_will_be_decided(self, rrule, anchor):
        """Somebody does each task the moment it is due: the dates are those that were foretold."""
        if anchor is Anchor.COMPLETED:
            rrule = rrule.partition(";")[0]
        ruled, history, found = schedule(rrule, anchor=anchor), MADE, []
        for _ in range(20):
            turn = ruled.turn(history, terms=Terms(), now=history.closed or MADE.settled)
            found.append(turn.due)
            history = History(turn.due, closed=turn.due, made=len(found))
        assert ruled.upcoming(MADE, terms=Terms(), end=local("2100-01-01"), limit=20) == found


class TestReading:
    def test_says_what_it_was_given(self):
        assert schedule().anchor is Anchor.SCHEDULED
        assert schedule().catch_up is CatchUp.ONE
        assert schedule(anchor="completed").anchor is Anchor.COMPLETED
        assert schedule(catch_up="skip").catch_up is CatchUp.SKIP

    def test_asks_a_person_s_for_an_end(self):
        with pytest.raises(Endless):
            schedule(limits=PERSONAL)

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            pytest.param({"anchor": "now"}, "/schedule/anchor", id="no such anchor"),
            pytest.param({"catch_up": True}, "/schedule/catch_up", id="no such policy"),
            pytest.param({"lead": "P1D"}, "/schedule/lead", id="an unknown field"),
            pytest.param({"anchor": "completed", "catch_up": "all"}, "/schedule/catch_up", id="nothing to catch up"),
            pytest.param({"anchor": "completed", "rdate": ["2026-01-01"]}, "/schedule/rdate", id="a date added"),
            pytest.param({"anchor": "completed", "exdate": ["2026-01-09"]}, "/schedule/exdate", id="a date left out"),
            pytest.param(
                {"anchor": "completed", "rrule": "FREQ=WEEKLY;BYDAY=MO"}, "/schedule/rrule", id="days of the calendar"
            ),
        ],
    )
    def test_refuses_what_has_no_meaning_and_says_where(self, changes, pointer):
        raw = {"rrule": "FREQ=DAILY", "dtstart": "2026-01-02T08:00", "timezone": "Europe/Berlin"} | changes
        with pytest.raises(Invalid) as refused:
            Schedule.parse(raw, limits=PLANNED, pointer="/schedule")
        assert [fault.pointer for fault in refused.value.faults] == [pointer]

    def test_refuses_what_is_no_object(self):
        with pytest.raises(Invalid):
            Schedule.parse(["FREQ=DAILY"], limits=PLANNED, pointer="")
