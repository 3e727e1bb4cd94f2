"""Tasks that come again: what is refused where, and when the next one is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from techtrack.core.errors import Invalid
from techtrack.tasks.domain import series
from techtrack.tasks.domain.schedule import History
from techtrack.tasks.domain.series import Turn

BERLIN = {"timezone": "Europe/Berlin", "dtstart": "2026-03-27T08:00:00"}
FRIDAY = datetime(2026, 3, 27, 7, 0, tzinfo=UTC)


def made(rule, **terms):
    return series.schedule(rule, {**BERLIN, **terms})


def following(schedule, *, done, due=FRIDAY, start=None, number=1):
    return series.next_turn(schedule, History(due, done, number), start=start, due=due, now=done)


class TestCompleted:
    def test_terms_begin_when_the_task_does_on_the_clock_of_its_place(self):
        assert series.completed({}, start=FRIDAY, zone="Europe/Berlin") == BERLIN

    def test_terms_that_say_it_themselves_stay(self):
        given = {"timezone": "Asia/Tokyo", "dtstart": "2026-01-01T00:00:00", "anchor": "completed"}
        assert series.completed(given, start=FRIDAY, zone="Europe/Berlin") == given

    @pytest.mark.parametrize("zone", [7, None, "Mars/Olympus"])
    def test_terms_with_a_zone_that_is_none_are_refused(self, zone):
        with pytest.raises(Invalid) as caught:
            series.completed({"timezone": zone}, start=FRIDAY, zone="UTC")
        assert caught.value.faults[0].pointer == "/recurrence_terms/timezone"


class TestSchedule:
    @pytest.mark.parametrize(
        ("rule", "terms", "pointer"),
        [
            pytest.param("FREQ=DAILY", {}, "/recurrence", id="without an end"),
            pytest.param("FREQ=SECONDLY;COUNT=3", {}, "/recurrence", id="every second"),
            pytest.param("FREQ=MINUTELY;COUNT=3", {}, "/recurrence", id="every minute"),
            pytest.param("every Monday", {}, "/recurrence", id="no rule"),
            pytest.param("FREQ=DAILY;COUNT=2", {"dtstart": "soon"}, "/recurrence_terms/dtstart", id="no start"),
            pytest.param("FREQ=DAILY;COUNT=2", {"anchor": "moon"}, "/recurrence_terms/anchor", id="no anchor"),
            pytest.param("FREQ=DAILY;COUNT=2", {"catch_up": "no"}, "/recurrence_terms/catch_up", id="no policy"),
            pytest.param("FREQ=DAILY;COUNT=2", {"colour": 1}, "/recurrence_terms/colour", id="an unknown term"),
            pytest.param(
                "FREQ=DAILY;COUNT=1", {"exdate": ["2026-03-27"]}, "/recurrence_terms/exdate", id="nothing is left"
            ),
        ],
    )
    def test_names_the_place_in_the_task(self, rule, terms, pointer):
        with pytest.raises(Invalid) as caught:
            made(rule, **terms)
        assert [fault.pointer for fault in caught.value.faults] == [pointer]

    def test_begins_with_its_first_date(self):
        assert series.first_due(made("FREQ=WEEKLY;BYDAY=MO;COUNT=2")) == datetime(2026, 3, 30, 6, 0, tzinfo=UTC)


class TestNextTurn:
    def test_keeps_the_time_of_day_when_clocks_change(self):
        # In Berlin summer time began on 2026-03-29.
        turn = following(made("FREQ=WEEKLY;COUNT=9"), done=FRIDAY)
        assert turn == Turn(None, datetime(2026, 4, 3, 6, 0, tzinfo=UTC))

    def test_leaves_as_much_time_as_the_task_before_had(self):
        turn = following(made("FREQ=DAILY;COUNT=9"), done=FRIDAY, start=FRIDAY - timedelta(hours=2))
        assert turn.due - turn.start == timedelta(hours=2)

    def test_that_was_missed_is_not_made_up_for_unless_asked(self):
        late = FRIDAY + timedelta(days=3, hours=1)
        assert following(made("FREQ=DAILY;COUNT=9"), done=late).due.day == 31
        assert following(made("FREQ=DAILY;COUNT=9", catch_up="all"), done=late).due.day == 28

    def test_is_counted_from_the_completion_where_that_is_the_anchor(self):
        done = FRIDAY + timedelta(days=3, hours=1)
        turn = following(made("FREQ=DAILY;INTERVAL=2;COUNT=9", anchor="completed"), done=done)
        assert turn.due == datetime(2026, 4, 1, 6, 0, tzinfo=UTC)

    @pytest.mark.parametrize(("number", "ends"), [(1, False), (2, True)])
    def test_ends_with_the_count(self, number, ends):
        schedule = made("FREQ=DAILY;COUNT=2", anchor="completed")
        assert (following(schedule, done=FRIDAY, number=number) is None) is ends

    def test_ends_behind_the_last_date(self):
        last = FRIDAY + timedelta(days=1)
        assert following(made("FREQ=DAILY;COUNT=2"), done=last, due=last) is None
