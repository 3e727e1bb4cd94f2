"""When people are reminded, and what becomes of it when the due date moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.core.errors import Invalid
from techtrack.tasks.domain.reminders import Armed, Reminder, arm, dump_reminders, fire, next_moment, parse_reminders

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
BEFORE = Reminder(before=HOUR)
AT = Reminder(at=NOW + 5 * HOUR)


def set_for(due, *reminders, now=NOW, before=()):
    return arm(reminders, due=due, now=now, before=before)


class TestParseReminders:
    def test_reads_both_kinds(self):
        raw = [{"at": "2026-11-21T16:00:00+01:00"}, {"before": "PT1H"}, {"before": "PT0S"}]
        assert parse_reminders(raw) == (AT, BEFORE, Reminder(before=timedelta(0)))

    def test_is_the_inverse_of_dump(self):
        raw = [{"at": "2026-11-21T15:00:00Z"}, {"before": "P1DT30M"}, {"before": "PT0S"}]
        assert dump_reminders(parse_reminders(raw)) == raw

    def test_keeps_moments_in_utc(self):
        (found,) = parse_reminders([{"at": "2026-11-21T15:00:00+05:30"}])
        assert found.at == datetime(2026, 11, 21, 15, tzinfo=timezone(timedelta(hours=5.5)))
        assert found.at.tzinfo is UTC

    @pytest.mark.parametrize(
        ("raw", "pointer"),
        [
            pytest.param({}, "", id="no list"),
            pytest.param([{"before": f"PT{n}H"} for n in range(21)], "", id="too many"),
            pytest.param(["PT1H"], "/0", id="a bare text"),
            pytest.param([{}], "/0", id="neither"),
            pytest.param([{"at": "2026-11-21T10:00:00Z", "before": "PT1H"}], "/0", id="both"),
            pytest.param([{"after": "PT1H"}], "/0", id="another member"),
            pytest.param([{"before": "-PT1H"}], "/0/before", id="a negative duration"),
            pytest.param([{"before": "1 hour"}], "/0/before", id="a duration in words"),
            pytest.param([{"before": "P1M"}], "/0/before", id="a month, which is no time in itself"),
            pytest.param([{"before": 3600}], "/0/before", id="a duration that is a number"),
            pytest.param([{"before": "P367D"}], "/0/before", id="more than a year before"),
            pytest.param([{"at": "2026-11-21T10:00:00"}], "/0/at", id="a time without an offset"),
            pytest.param([{"at": "2026-11-21"}], "/0/at", id="a day"),
            pytest.param([{"at": 1}], "/0/at", id="a time that is a number"),
            pytest.param([{"at": "1999-12-31T23:59:59Z"}], "/0/at", id="before any year that is kept"),
            pytest.param([{"at": "2100-01-01T00:00:00Z"}], "/0/at", id="after any year that is kept"),
            pytest.param([{"at": "0001-01-01T00:00:00+14:00"}], "/0/at", id="no time at all in UTC"),
            pytest.param([{"before": "PT1H"}, {"before": "PT60M"}], "/1", id="the same in other words"),
        ],
    )
    def test_refuses_and_says_where(self, raw, pointer):
        with pytest.raises(Invalid) as caught:
            parse_reminders(raw)
        assert [fault.pointer for fault in caught.value.faults] == [f"/reminders{pointer}"]


class TestArm:
    def test_counts_back_from_the_due_date(self):
        assert next_moment(set_for(NOW + 3 * HOUR, BEFORE, AT)) == NOW + 2 * HOUR

    def test_waits_where_nothing_is_due(self):
        assert set_for(None, BEFORE) == (Armed(BEFORE, None),)
        assert next_moment(set_for(None, BEFORE)) is None
        assert next_moment(set_for(None, BEFORE, AT)) == NOW + 5 * HOUR

    @pytest.mark.parametrize(
        ("due", "spent"),
        [
            pytest.param(NOW + HOUR, True, id="its moment is now"),
            pytest.param(NOW + HOUR / 2, True, id="its moment has passed, though nothing is due yet"),
            pytest.param(NOW + HOUR + timedelta(seconds=1), False, id="its moment is to come"),
        ],
    )
    def test_reminds_nobody_of_what_passed_before_it_was_set(self, due, spent):
        assert [one.spent for one in set_for(due, BEFORE)] == [spent]

    def test_what_fired_fires_again_when_the_due_date_moves_on(self):
        due = NOW + 2 * HOUR
        _, armed = fire(set_for(due, BEFORE, AT), now=NOW + HOUR)
        moved = set_for(due + 3 * HOUR, BEFORE, AT, now=NOW + HOUR, before=armed)
        assert next_moment(moved) == NOW + 4 * HOUR
        assert fire(moved, now=NOW + 4 * HOUR)[0] == (BEFORE,)

    def test_what_fired_stays_fired_when_the_due_date_moves_into_the_past(self):
        _, armed = fire(set_for(NOW + 2 * HOUR, BEFORE), now=NOW + HOUR)
        moved = set_for(NOW + HOUR, BEFORE, now=NOW + HOUR, before=armed)
        assert fire(moved, now=NOW + 9 * HOUR)[0] == ()

    def test_a_moment_of_its_own_stays_fired_whatever_is_due(self):
        _, armed = fire(set_for(None, AT), now=NOW + 6 * HOUR)
        assert set_for(NOW + 9 * HOUR, AT, now=NOW + HOUR, before=armed) == armed

    def test_what_is_late_and_unmoved_still_fires(self):
        # Nobody looked for an hour, and then somebody changed another reminder.
        armed = set_for(NOW + 2 * HOUR, BEFORE)
        changed = set_for(NOW + 2 * HOUR, BEFORE, AT, now=NOW + 2 * HOUR, before=armed)
        assert fire(changed, now=NOW + 2 * HOUR)[0] == (BEFORE,)

    def test_what_is_no_longer_wished_is_gone(self):
        assert set_for(NOW, before=set_for(NOW, BEFORE)) == ()

    def test_a_due_date_that_is_taken_away_and_given_back_arms_again(self):
        armed = fire(set_for(NOW + 2 * HOUR, BEFORE), now=NOW + HOUR)[1]
        without = set_for(None, BEFORE, before=armed)
        assert next_moment(set_for(NOW + 4 * HOUR, BEFORE, now=NOW + HOUR, before=without)) == NOW + 3 * HOUR


class TestFire:
    def test_fires_once(self):
        armed = set_for(NOW + 2 * HOUR, BEFORE, AT)
        assert fire(armed, now=NOW + HOUR - timedelta(microseconds=1)) == ((), armed)
        fired, left = fire(armed, now=NOW + HOUR)
        assert (fired, next_moment(left)) == ((BEFORE,), AT.at)
        assert fire(left, now=NOW + HOUR) == ((), left)

    def test_fires_all_that_nobody_looked_at(self):
        assert fire(set_for(NOW + 2 * HOUR, BEFORE, AT), now=NOW + 99 * HOUR)[0] == (BEFORE, AT)

    wishes = st.lists(
        st.integers(0, 40).map(lambda hours: Reminder(before=hours * HOUR))
        | st.integers(-9, 40).map(lambda hours: Reminder(at=NOW + hours * HOUR)),
        max_size=6,
        unique=True,
    )

    @given(wishes, st.integers(0, 40), st.lists(st.integers(0, 60), max_size=9))
    def test_however_often_somebody_looks_each_fires_once(self, wishes, due, looks):
        armed = set_for(NOW + due * HOUR, *wishes)
        told = []
        for hours in [*sorted(looks), 100]:
            fired, armed = fire(armed, now=NOW + hours * HOUR)
            told += fired
        assert sorted(map(repr, told)) == sorted(repr(one) for one in wishes if one.moment(NOW + due * HOUR) > NOW)
        assert next_moment(armed) is None
