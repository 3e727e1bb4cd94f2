"""Who is on call, in summer and in winter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.notifications.domain.rota import Duty, StandIn, Turns, on_call

BERLIN = ZoneInfo("Europe/Berlin")
# A Monday, 08:00 in Berlin.
START = datetime(2026, 3, 16, 7, tzinfo=UTC)
WEEK = Turns([1, 2, 3], 7, START, BERLIN)


def at(text):
    return datetime.fromisoformat(text)


class TestTurns:
    @pytest.mark.parametrize(
        ("moment", "person"),
        [
            pytest.param("2026-03-16T06:59:59Z", None, id="before the first"),
            pytest.param("2026-03-16T07:00:00Z", 1, id="the first"),
            pytest.param("2026-03-23T06:59:59Z", 1, id="the end of the first"),
            pytest.param("2026-03-23T07:00:00Z", 2, id="the second"),
            pytest.param("2026-03-30T05:59:59Z", 2, id="before eight in summer time"),
            pytest.param("2026-03-30T06:00:00Z", 3, id="at eight in summer time"),
            pytest.param("2026-04-06T06:00:00Z", 1, id="and round again"),
            pytest.param("2026-10-26T06:59:59Z", 2, id="before eight in winter time"),
            pytest.param("2026-10-26T07:00:00Z", 3, id="at eight in winter time"),
        ],
    )
    def test_are_handed_over_at_one_time_of_the_clock(self, moment, person):
        assert on_call(WEEK, at(moment)).person == person

    def test_say_when_next_somebody_else_may_be_on_call(self):
        assert on_call(WEEK, at("2026-03-24T00:00:00Z")) == Duty(2, at("2026-03-30T06:00:00Z"))
        assert on_call(WEEK, at("2026-03-01T00:00:00Z")) == Duty(None, START)

    def test_of_nobody_have_nobody(self):
        assert on_call(Turns([], 7, START, BERLIN), START) == Duty(None, None)

    @pytest.mark.parametrize("start", ["2026-03-29T01:30:00Z", "2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z"])
    @given(st.integers(0, 60 * 24 * 400))
    def test_never_go_back(self, start, minutes):
        turns = Turns(list(range(1000)), 1, at(start), BERLIN)
        before, after = (on_call(turns, at(start) + timedelta(minutes=m)).person for m in (minutes, minutes + 1))
        assert after - before in {0, 1}

    @given(st.integers(1, 30), st.integers(1, 7), st.integers(0, 60 * 24 * 2000))
    def test_give_everybody_as_much(self, days, people, minutes):
        turns = Turns(list(range(people)), days, START, BERLIN)
        moment = START + timedelta(minutes=minutes)
        duty = on_call(turns, moment)
        assert duty.until is not None
        assert duty.until > moment
        # An hour more or less where the clock changes.
        length = duty.until - moment
        assert length <= timedelta(days=days, hours=1)
        if people > 1:
            assert on_call(turns, duty.until).person == (duty.person + 1) % people


class TestStandIns:
    TURNS = Turns(
        [1, 2],
        7,
        START,
        BERLIN,
        [
            StandIn(at("2026-03-17T00:00:00Z"), at("2026-03-19T00:00:00Z"), 9),
            StandIn(at("2026-03-18T00:00:00Z"), at("2026-03-18T12:00:00Z"), 8),
        ],
    )

    @pytest.mark.parametrize(
        ("moment", "person", "until"),
        [
            pytest.param("2026-03-16T12:00:00Z", 1, "2026-03-17T00:00:00Z", id="before"),
            pytest.param("2026-03-17T00:00:00Z", 9, "2026-03-18T00:00:00Z", id="from its beginning"),
            pytest.param("2026-03-18T06:00:00Z", 8, "2026-03-18T12:00:00Z", id="the last one counts"),
            pytest.param("2026-03-18T12:00:00Z", 9, "2026-03-19T00:00:00Z", id="the first one again"),
            pytest.param("2026-03-19T00:00:00Z", 1, "2026-03-23T07:00:00Z", id="until its end"),
        ],
    )
    def test_take_over(self, moment, person, until):
        assert on_call(self.TURNS, at(moment)) == Duty(person, at(until))


class TestGone:
    @pytest.mark.parametrize(
        ("gone", "person"),
        [
            pytest.param({1}, 2, id="the next"),
            pytest.param({1, 2}, 3, id="the one after"),
            pytest.param({2, 3}, 1, id="others"),
            pytest.param({1, 2, 3}, None, id="everybody"),
        ],
    )
    def test_are_passed_over(self, gone, person):
        assert on_call(WEEK, START, gone=gone).person == person

    def test_do_not_stand_in(self):
        turns = Turns([1], 7, START, BERLIN, [StandIn(START, START + timedelta(days=1), 9)])
        assert on_call(turns, START, gone={9}).person == 1
