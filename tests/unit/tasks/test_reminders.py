"""When people are reminded, and what becomes of it when the due date moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from techtrack.core.errors import Invalid
from techtrack.tasks.domain.reminders import Armed, Reminder, arm, dump_reminders, parse_reminders

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
BEFORE = Reminder(before=HOUR)
AT = Reminder(at=NOW + 5 * HOUR)


def set_for(due, *reminders, now=NOW, before=()):
    return arm(reminders, due=due, now=now, before=before)


def moments(armed):
    return [one.moment for one in armed]


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
        assert moments(set_for(NOW + 3 * HOUR, BEFORE, AT)) == [NOW + 2 * HOUR, AT.at]

    def test_waits_where_nothing_is_due(self):
        assert set_for(None, BEFORE) == (Armed(BEFORE, None),)
        assert moments(set_for(None, BEFORE, AT)) == [None, AT.at]

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
        armed = (Armed(BEFORE, NOW + HOUR, spent=True), Armed(AT, AT.at))
        moved = set_for(due + 3 * HOUR, BEFORE, AT, now=NOW + HOUR, before=armed)
        assert moved == (Armed(BEFORE, NOW + 4 * HOUR), Armed(AT, AT.at))

    def test_what_fired_stays_fired_when_the_due_date_moves_into_the_past(self):
        armed = (Armed(BEFORE, NOW + HOUR, spent=True),)
        moved = set_for(NOW + HOUR, BEFORE, now=NOW + HOUR, before=armed)
        assert moved == (Armed(BEFORE, NOW, spent=True),)

    def test_a_moment_of_its_own_stays_fired_whatever_is_due(self):
        armed = (Armed(AT, AT.at, spent=True),)
        assert set_for(NOW + 9 * HOUR, AT, now=NOW + HOUR, before=armed) == armed

    def test_what_is_late_and_unmoved_still_fires(self):
        # Nobody looked for an hour, and then somebody changed another reminder.
        armed = set_for(NOW + 2 * HOUR, BEFORE)
        changed = set_for(NOW + 2 * HOUR, BEFORE, AT, now=NOW + 2 * HOUR, before=armed)
        assert changed[0] == Armed(BEFORE, NOW + HOUR)

    def test_what_is_no_longer_wished_is_gone(self):
        assert set_for(NOW, before=set_for(NOW, BEFORE)) == ()

    def test_a_due_date_that_is_taken_away_and_given_back_arms_again(self):
        without = set_for(None, BEFORE, before=(Armed(BEFORE, NOW + HOUR, spent=True),))
        again = set_for(NOW + 4 * HOUR, BEFORE, now=NOW + HOUR, before=without)
        assert again == (Armed(BEFORE, NOW + 3 * HOUR),)
