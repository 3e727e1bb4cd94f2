"""Whether a person is told now, or when: on the person's clock, in summer and in winter."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.alerts.domain.condition import SEVERITIES
from techtrack.notifications.domain.quiet_hours import LONGEST, Quiet, Wishes, held_until, wanted

BERLIN = ZoneInfo("Europe/Berlin")
NIGHTS = Quiet(frozenset(range(7)), time(22), time(6))
WEEKEND = Quiet(frozenset({5, 6}), time(0), time(0))

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(0, 366 * 24 * 3600).map(lambda seconds: NEW_YEAR + timedelta(seconds=seconds))


def at(text):
    return datetime.fromisoformat(text)


class TestQuietHours:
    WISHES = Wishes(BERLIN, quiet=[NIGHTS])

    @pytest.mark.parametrize(
        ("moment", "until"),
        [
            pytest.param("2026-11-21T20:59:59Z", None, id="in the evening"),
            pytest.param("2026-11-21T21:00:00Z", "2026-11-22T05:00:00Z", id="from ten"),
            pytest.param("2026-11-22T04:59:59Z", "2026-11-22T05:00:00Z", id="until six"),
            pytest.param("2026-11-22T05:00:00Z", None, id="at six"),
            pytest.param("2026-07-01T20:00:00Z", "2026-07-02T04:00:00Z", id="from ten in summer"),
            pytest.param("2026-03-28T22:00:00Z", "2026-03-29T04:00:00Z", id="a night of seven hours"),
            pytest.param("2026-10-24T21:00:00Z", "2026-10-25T05:00:00Z", id="a night of nine hours"),
        ],
    )
    def test_hold_until_their_end(self, moment, until):
        assert held_until(self.WISHES, "high", at(moment)) == (until and at(until))

    @pytest.mark.parametrize(("severity", "held"), [("info", True), ("high", True), ("critical", False)])
    def test_let_through_what_is_grave(self, severity, held):
        assert (held_until(self.WISHES, severity, at("2026-11-21T22:00:00Z")) is not None) is held

    def test_are_those_that_began_on_one_of_the_days(self):
        friday_night = Wishes(BERLIN, quiet=[Quiet(frozenset({4}), time(22), time(6))])
        assert held_until(friday_night, "low", at("2026-11-21T04:00:00Z")) == at("2026-11-21T05:00:00Z")
        assert held_until(friday_night, "low", at("2026-11-22T04:00:00Z")) is None

    def test_that_touch_are_one(self):
        wishes = Wishes(BERLIN, quiet=[NIGHTS, WEEKEND])
        # From Friday night to Monday morning.
        assert held_until(wishes, "low", at("2026-11-20T22:00:00Z")) == at("2026-11-23T05:00:00Z")

    def test_that_never_end_hold_for_a_week(self):
        wishes = Wishes(BERLIN, quiet=[Quiet(frozenset(range(7)), time(0), time(0))])
        moment = at("2026-11-20T12:00:00Z")
        assert held_until(wishes, "low", moment) == moment + LONGEST

    def test_that_begin_in_the_hour_that_is_left_out(self):
        wishes = Wishes(BERLIN, quiet=[Quiet(frozenset({6}), time(2, 30), time(4))])
        assert held_until(wishes, "low", at("2026-03-29T01:45:00Z")) == at("2026-03-29T02:00:00Z")

    @given(
        st.lists(st.builds(Quiet, st.frozensets(st.integers(0, 6), min_size=1), st.times(), st.times()), max_size=4),
        MOMENTS,
        st.sampled_from(["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "UTC"]),
    )
    def test_hold_until_they_are_over_and_no_longer_than_a_week(self, quiet, moment, zone):
        wishes = Wishes(ZoneInfo(zone), quiet=quiet)
        until = held_until(wishes, "low", moment)
        if until is not None:
            assert moment < until <= moment + LONGEST
            assert until == moment + LONGEST or held_until(wishes, "low", until) is None


class TestDigest:
    @pytest.mark.parametrize(
        ("wishes", "moment", "until"),
        [
            pytest.param({"digest": "hourly"}, "2026-11-21T10:20:30Z", "2026-11-21T11:00:00Z", id="the next hour"),
            pytest.param({"digest": "hourly"}, "2026-11-21T10:00:00Z", "2026-11-21T11:00:00Z", id="not this one"),
            pytest.param({"digest": "daily"}, "2026-11-21T05:00:00Z", "2026-11-21T06:00:00Z", id="today"),
            pytest.param({"digest": "daily"}, "2026-11-21T06:00:00Z", "2026-11-22T06:00:00Z", id="tomorrow"),
            pytest.param({"digest": "daily"}, "2026-03-28T12:00:00Z", "2026-03-29T05:00:00Z", id="in summer time"),
            pytest.param(
                {"digest": "daily", "digest_at": time(2, 30)},
                "2026-03-28T12:00:00Z",
                "2026-03-29T01:30:00Z",
                id="at a time that is left out",
            ),
            pytest.param({"digest": ""}, "2026-11-21T10:00:00Z", None, id="none is wanted"),
        ],
    )
    def test_comes(self, wishes, moment, until):
        assert held_until(Wishes(BERLIN, **wishes), "low", at(moment)) == (until and at(until))

    def test_is_of_what_is_mild(self):
        wishes = Wishes(BERLIN, digest="daily", digest_below="high")
        held = [severity for severity in SEVERITIES if held_until(wishes, severity, at("2026-11-21T10:00:00Z"))]
        assert held == ["info", "low", "medium"]

    def test_waits_for_the_end_of_quiet_hours(self):
        wishes = Wishes(BERLIN, digest="hourly", quiet=[NIGHTS])
        assert held_until(wishes, "low", at("2026-11-21T20:30:00Z")) == at("2026-11-22T05:00:00Z")

    def test_that_is_due_waits_for_quiet_hours_alone(self):
        wishes = Wishes(BERLIN, digest="daily")
        assert held_until(wishes, "low", at("2026-11-21T10:00:00Z"), digests=False) is None

    @given(MOMENTS, st.times(), st.sampled_from(["hourly", "daily"]))
    def test_comes_soon(self, moment, clock, kind):
        until = held_until(Wishes(BERLIN, digest=kind, digest_at=clock), "low", moment)
        longest = timedelta(hours=1) if kind == "hourly" else timedelta(hours=25)
        assert moment < until <= moment + longest


class TestWanted:
    @pytest.mark.parametrize(("severity", "is_wanted"), [("low", False), ("medium", True), ("critical", True)])
    def test_is_what_is_grave_enough(self, severity, is_wanted):
        assert wanted(Wishes(BERLIN, minimum_severity="medium"), severity) is is_wanted
