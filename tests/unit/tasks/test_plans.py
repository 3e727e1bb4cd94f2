"""When plans bring tasks: each trigger alone, whichever comes first, and one task at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from techtrack.core.errors import Invalid
from techtrack.tasks.domain.meters import Meter
from techtrack.tasks.domain.plans import Facts, Kind, Plan, Use, decide, usual_grace
from techtrack.tasks.domain.projection import Pace
from techtrack.tasks.domain.reasons import Reason
from techtrack.tasks.domain.recurrence import PERSONAL, PLANNED
from techtrack.tasks.domain.schedule import History

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SPINDLE = Meter("hours", "power", above=5)
CALENDAR = {"rrule": "FREQ=MONTHLY;INTERVAL=3", "dtstart": "2026-12-10T08:00"}
BY_METER = {"meter": {"kind": "hours", "parameter": "power", "above": 5}, "every": 500}
MADE = Facts(History(NOW - 30 * DAY))


def plan(**raw):
    return Plan.parse({"timezone": "UTC"} | raw, limits=PLANNED)


def ran(hours, per_day=10.0, reason=Reason.PROJECTED):
    return {SPINDLE: Use(hours, Pace(per_day, reason))}


class TestByCalendar:
    def test_opens_its_lead_time_before_it_is_due(self):
        quarterly = plan(schedule=CALENDAR, lead_time="P14D")
        early = decide(quarterly, facts=MADE, now=NOW)
        assert (early.task, early.next.due) == (None, datetime(2026, 12, 10, 8, tzinfo=UTC))
        late = decide(quarterly, facts=MADE, now=NOW + 4 * DAY)
        assert late.task == late.next
        assert (late.task.kind, late.task.reason) == (Kind.CALENDAR, Reason.SCHEDULED)

    def test_tells_of_dates_that_were_missed(self):
        weekly = plan(schedule={"rrule": "FREQ=WEEKLY", "dtstart": "2026-10-26T08:00", "catch_up": "skip"})
        found = decide(weekly, facts=MADE, now=NOW).next
        assert (found.missed, found.detail) == (
            4,
            "It is due by the calendar; 4 earlier dates were missed and bring no task.",
        )

    def test_has_an_end(self):
        once = plan(schedule={"rrule": "FREQ=DAILY;COUNT=1", "dtstart": "2026-10-26T08:00"})
        found = decide(once, facts=Facts(History(NOW)), now=NOW)
        assert (found.task, found.next, found.outlooks[0].reason) == (None, None, Reason.ENDED)


class TestByMeter:
    BY_HOURS = plan(meters=[BY_METER], lead_time="P7D")

    def outlook(self, uses, plan=BY_HOURS):
        (found,) = decide(plan, facts=replace(MADE, uses=uses), now=NOW).outlooks
        return found

    def test_is_projected_from_its_pace(self):
        found = self.outlook(ran(380))
        assert (found.due, found.opens, found.reason) == (NOW + 12 * DAY, NOW + 5 * DAY, Reason.PROJECTED)
        assert found.detail == "380 of 500 counted, 10 a day."

    def test_opens_its_lead_time_ahead_of_the_projection(self):
        found = decide(self.BY_HOURS, facts=replace(MADE, uses=ran(430)), now=NOW)
        assert found.task.due == NOW + 7 * DAY

    @pytest.mark.parametrize("hours", [500, 612.5])
    def test_is_due_at_once_where_it_was_reached(self, hours):
        found = decide(self.BY_HOURS, facts=replace(MADE, uses=ran(hours, None, Reason.NOT_USED)), now=NOW)
        assert (found.task.due, found.task.reason) == (NOW, Reason.REACHED)

    @pytest.mark.parametrize(
        ("uses", "reason", "detail"),
        [
            pytest.param({}, Reason.NO_READINGS, "The meter has no readings.", id="nobody counts"),
            pytest.param(ran(None), Reason.NO_READINGS, "The meter has no readings.", id="nothing was counted"),
            pytest.param(
                ran(12.5, None, Reason.TOO_LITTLE_HISTORY),
                Reason.TOO_LITTLE_HISTORY,
                "12.5 of 500 counted; too few days are known to say when.",
                id="a new machine",
            ),
            pytest.param(
                ran(380, None, Reason.NOT_USED),
                Reason.NOT_USED,
                "380 of 500 counted; the asset was not used in the last weeks.",
                id="it stands still",
            ),
            pytest.param(
                ran(0, 0.01),
                Reason.TOO_FAR,
                "0 of 500 counted; at this pace it takes more than ten years.",
                id="it hardly runs",
            ),
        ],
    )
    def test_says_why_there_is_no_date(self, uses, reason, detail):
        found = self.outlook(uses)
        assert (found.due, found.opens, found.reason, found.detail) == (None, None, reason, detail)

    def test_waits_for_the_season(self):
        summer = plan(meters=[BY_METER], season={"from": "04-01", "to": "10-31"})
        found = self.outlook(ran(510), summer)
        assert found.due == datetime(2027, 4, 1, 6, tzinfo=UTC)
        assert found.detail == "510 of 500 counted; it waits for the season."


class TestByCondition:
    BY_RULE = plan(conditions=[{"rule": 7}], lead_time="P2D", season={"from": "04-01", "to": "10-31"})

    def test_is_due_at_once_and_leaves_the_lead_time_for_it(self):
        raised = NOW - timedelta(hours=3)
        found = decide(self.BY_RULE, facts=replace(MADE, raised={7: raised}), now=NOW).task
        # Also outside the season: what is seen does not wait.
        assert (found.kind, found.due, found.opens) == (Kind.CONDITION, raised + 2 * DAY, raised)

    @pytest.mark.parametrize(
        ("raised", "closed"),
        [
            pytest.param({}, None, id="no alert"),
            pytest.param({8: NOW}, None, id="another rule's"),
            pytest.param({7: NOW - 2 * DAY}, NOW - DAY, id="raised before the last task was closed"),
            pytest.param({7: NOW - DAY}, NOW - DAY, id="raised when the last task was closed"),
        ],
    )
    def test_asks_for_nothing_otherwise(self, raised, closed):
        facts = Facts(History(NOW - 30 * DAY, closed), raised=raised)
        found = decide(self.BY_RULE, facts=facts, now=NOW)
        assert (found.task, found.next, found.outlooks[0].reason) == (None, None, Reason.NOT_RAISED)


class TestWhicheverComesFirst:
    ALL = plan(schedule=CALENDAR, meters=[BY_METER], conditions=[{"rule": 7}], lead_time="P1D")

    @pytest.mark.parametrize(
        ("uses", "raised", "expected"),
        [
            pytest.param(ran(100), {}, Kind.CALENDAR, id="it hardly ran: the calendar"),
            pytest.param(ran(480), {}, Kind.METER, id="it ran a lot: the meter"),
            pytest.param(ran(480), {7: NOW}, Kind.CONDITION, id="it got hot: the condition"),
            pytest.param({}, {}, Kind.CALENDAR, id="the meter is silent: the calendar all the same"),
        ],
    )
    def test_is_next(self, uses, raised, expected):
        found = decide(self.ALL, facts=replace(MADE, uses=uses, raised=raised), now=NOW)
        assert found.next.kind is expected
        assert [one.kind for one in found.outlooks] == [Kind.CALENDAR, Kind.METER, Kind.CONDITION]

    def test_of_two_that_are_open_the_one_due_first_is_the_task(self):
        found = decide(self.ALL, facts=replace(MADE, uses=ran(500), raised={7: NOW}), now=NOW)
        assert (found.task.kind, found.task.due) == (Kind.METER, NOW)

    def test_a_task_that_is_open_holds_the_plan(self):
        facts = replace(MADE, uses=ran(600), raised={7: NOW - DAY}, unfinished=True)
        found = decide(self.ALL, facts=facts, now=NOW)
        assert found.task is None
        # Were it done now, the calendar would come before 500 more hours.
        assert (found.next.kind, found.next.due) == (Kind.CALENDAR, datetime(2026, 12, 10, 8, tzinfo=UTC))
        assert [one.reason for one in found.outlooks] == [Reason.SCHEDULED, Reason.PROJECTED, Reason.NOT_RAISED]

    def test_after_a_task_all_triggers_begin_again(self):
        """A floating plan, every 90 days or 500 h: done for the hours, the days count from then as well."""
        floating = {"rrule": "FREQ=DAILY;INTERVAL=90", "dtstart": "2026-11-30T08:00", "anchor": "completed"}
        done = Facts(History(NOW - 30 * DAY, closed=NOW, made=1), uses=ran(0))
        found = decide(plan(schedule=floating, meters=[BY_METER]), facts=done, now=NOW)
        assert [one.due.date() - NOW.date() for one in found.outlooks] == [90 * DAY, 50 * DAY]

    @settings(max_examples=100, deadline=None)
    @given(
        st.floats(0, 700),
        st.none() | st.floats(0.1, 24),
        st.none() | st.integers(-500, 500),
        st.booleans(),
        st.integers(0, 400),
    )
    def test_what_is_opened_is_open_and_nothing_is_due_before_what_is_next(self, hours, rate, raised, unfinished, day):
        reason = Reason.PROJECTED if rate else Reason.NOT_USED
        alerts = {} if raised is None else {7: NOW + timedelta(hours=raised)}
        facts = replace(MADE, uses=ran(hours, rate, reason), raised=alerts, unfinished=unfinished)
        now = NOW + day * DAY
        found = decide(self.ALL, facts=facts, now=now)
        dates = [one.due for one in found.outlooks if one.due]
        assert found.next.due == min(dates)
        if found.task:
            assert found.task.opens <= now
            assert not unfinished
        else:
            assert unfinished or all(one.opens > now for one in found.outlooks if one.opens)


class TestRunningHours:
    def test_a_year_of_one_shift_brings_a_task_each_quarter(self):
        """500 h at 40 h a week are twelve and a half weeks; each is done two days after it is due."""
        by_hours = plan(meters=[BY_METER], lead_time="P7D")
        facts, now, since, open_until, opened = MADE, NOW, 0.0, None, []
        for day in range(365):
            now = NOW + day * DAY
            since += 8 if day % 7 < 5 else 0
            if open_until and now >= open_until:
                facts, since, open_until = Facts(History(MADE.history.settled, closed=now)), 0.0, None
            found = decide(
                by_hours, facts=replace(facts, uses=ran(since, 40 / 7), unfinished=bool(open_until)), now=now
            )
            if found.task:
                opened.append(day)
                open_until = found.task.due + 2 * DAY
        gaps = [later - sooner for sooner, later in pairwise(opened)]
        assert len(opened) == 4
        assert all(86 <= gap <= 92 for gap in gaps)


class TestUsualGrace:
    @pytest.mark.parametrize(
        ("interval", "expected"),
        [
            # The table of SMRP's guideline, before it rounds to days.
            pytest.param(7 * DAY, 1.4 * DAY, id="a week: 1 day"),
            pytest.param(30 * DAY, 6 * DAY, id="a month: 6 days"),
            pytest.param(120 * DAY, 24 * DAY, id="four months: 24 days"),
            pytest.param(182 * DAY, 28 * DAY, id="half a year: 28 days"),
            pytest.param(730 * DAY, 28 * DAY, id="two years: 28 days"),
        ],
    )
    def test_is_a_fifth_of_the_interval_up_to_28_days(self, interval, expected):
        assert usual_grace(interval) == expected


class TestReading:
    def test_gives_the_schedule_the_time_zone_of_the_plan(self):
        made = Plan.parse({"timezone": "Europe/Berlin", "schedule": CALENDAR}, limits=PLANNED)
        assert made.schedule.recurrence.zone.key == "Europe/Berlin"

    @pytest.mark.parametrize(
        ("raw", "pointer"),
        [
            pytest.param([], "/plan", id="a list"),
            pytest.param({}, "/plan", id="nothing asks for a task"),
            pytest.param({"schedule": None, "meters": [], "conditions": None}, "/plan", id="likewise, at length"),
            pytest.param({"schedule": CALENDAR, "timezone": "Berlin"}, "/plan/timezone", id="no zone"),
            pytest.param({"schedule": CALENDAR, "timezone": 1}, "/plan/timezone", id="a number for a zone"),
            pytest.param({"schedule": CALENDAR | {"timezone": "UTC"}}, "/plan/schedule", id="a zone of its own"),
            pytest.param({"schedule": "FREQ=DAILY"}, "/plan/schedule", id="a text"),
            pytest.param({"schedule": CALENDAR | {"rrule": "FREQ=MINUTELY"}}, "/plan/schedule/rrule", id="its rule"),
            pytest.param({"schedule": CALENDAR, "lead_time": "P1Y"}, "/plan/lead_time", id="no duration"),
            pytest.param({"schedule": CALENDAR, "lead_time": "P367D"}, "/plan/lead_time", id="a duration too long"),
            pytest.param({"schedule": CALENDAR, "lead_time": 7}, "/plan/lead_time", id="a number for a duration"),
            pytest.param({"schedule": CALENDAR, "season": {"from": "04-31", "to": "10-31"}}, "/plan/season/from"),
            pytest.param(
                {
                    "schedule": {"rrule": "FREQ=YEARLY", "dtstart": "2026-12-10T08:00"},
                    "season": {"from": "04-01", "to": "10-31"},
                },
                "/plan/season",
                id="never in the season",
            ),
            pytest.param({"meters": BY_METER}, "/plan/meters", id="no list of meters"),
            pytest.param({"schedule": CALENDAR, "meters": {}}, "/plan/meters", id="an empty object for a list"),
            pytest.param({"meters": [BY_METER] * 11}, "/plan/meters", id="too many meters"),
            pytest.param({"meters": [BY_METER | {"every": 0}]}, "/plan/meters/0/every", id="every nothing"),
            pytest.param({"meters": [BY_METER | {"every": "500"}]}, "/plan/meters/0/every", id="a text for a number"),
            pytest.param({"meters": [{"every": 5}]}, "/plan/meters/0/meter", id="no meter"),
            pytest.param({"meters": [BY_METER, BY_METER | {"min": 1}]}, "/plan/meters/1/min", id="an unknown field"),
            pytest.param(
                {"meters": [{"meter": {"kind": "hours", "parameter": "power"}, "every": 5}]},
                "/plan/meters/0/meter/above",
                id="a meter without its limit",
            ),
            pytest.param({"conditions": [{"rule": 0}]}, "/plan/conditions/0/rule", id="no rule"),
            pytest.param({"conditions": [7]}, "/plan/conditions/0", id="a number for a condition"),
            pytest.param({"schedule": CALENDAR, "every": 5}, "/plan/every", id="an unknown field of the plan"),
        ],
    )
    def test_refuses_what_cannot_be_kept_and_says_where(self, raw, pointer):
        given = {"timezone": "UTC"} | raw if isinstance(raw, dict) else raw
        with pytest.raises(Invalid) as refused:
            Plan.parse(given, limits=PLANNED, pointer="/plan")
        assert [fault.pointer for fault in refused.value.faults] == [pointer]

    def test_a_person_s_recurring_task_is_a_plan_with_an_end(self):
        raw = {"timezone": "UTC", "schedule": CALENDAR}
        with pytest.raises(Invalid, match="never ends"):
            Plan.parse(raw, limits=PERSONAL)
        raw["schedule"] = CALENDAR | {"rrule": "FREQ=MONTHLY;COUNT=12"}
        assert Plan.parse(raw, limits=PERSONAL).schedule
