"""A meter is counted day by day, and named by what it counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.core.clock import to_micros
from techtrack.tasks.domain.meters import Meter, Tally, count
from techtrack.tasks.domain.reasons import Reason
from techtrack.tasks.domain.tallying import MOST_DAYS, Record, counted, key_of

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HOURS = Meter("hours", "speed", above=100.0)
NOTHING = Record(Tally(), {})


def readings(*values, start=MONDAY, every=HOUR):
    """Times and values at equal distances."""
    times = [to_micros(start + every * number) for number in range(len(values))]
    return {"times": np.array(times, np.int64), "values": np.array(values, np.float64)}


class TestCounting:
    def test_notes_the_total_by_the_end_of_each_day(self):
        # Ten hours on Monday from midnight on, then at rest; all of Tuesday; still at rest on Wednesday.
        values = [200] * 10 + [0] * 14 + [200] * 24 + [0]
        found = counted(HOURS, NOTHING, **readings(*values), longest=2 * HOUR)
        assert found.days == {"2026-11-02": 10.0, "2026-11-03": 33.0, "2026-11-04": 34.0}
        assert found.tally.total == 34.0

    def test_knows_nothing_of_a_day_without_readings(self):
        first = counted(HOURS, NOTHING, **readings(200, 200), longest=2 * HOUR)
        later = counted(HOURS, first, **readings(200, 200, start=MONDAY + 2 * DAY), longest=2 * HOUR)
        assert set(later.days) == {"2026-11-02", "2026-11-04"}

    def test_changes_nothing_without_readings(self):
        assert counted(HOURS, NOTHING, **readings(), longest=HOUR) == NOTHING

    def test_keeps_as_many_days_as_the_pace_is_told_by(self):
        found = counted(HOURS, NOTHING, **readings(*[200] * 100, every=DAY), longest=DAY)
        assert len(found.days) == MOST_DAYS
        assert max(found.days) == (MONDAY + 99 * DAY).date().isoformat()

    @given(st.lists(st.sampled_from([0.0, 200.0]), min_size=1, max_size=200), st.integers(1, 199))
    def test_gives_the_same_in_one_go_or_in_two_or_without_days(self, values, cut):
        given_ = readings(*values)
        whole = counted(HOURS, NOTHING, **given_, longest=2 * HOUR)
        parts = [{name: column[part] for name, column in given_.items()} for part in (slice(cut), slice(cut, None))]
        first = counted(HOURS, NOTHING, **parts[0], longest=2 * HOUR)
        assert counted(HOURS, first, **parts[1], longest=2 * HOUR) == whole
        assert whole.tally == count(HOURS, tally=Tally(), **given_, holds=2 * HOUR)


class TestPace:
    def test_is_the_average_of_a_usual_week(self):
        values = ([200] * 8 + [0] * 16) * 28
        record = counted(HOURS, NOTHING, **readings(*values), longest=2 * HOUR)
        pace = record.pace(now=MONDAY + 28 * DAY)
        assert (round(pace.per_day, 6), pace.reason) == (8.0, Reason.PROJECTED)

    def test_does_not_count_the_day_that_still_runs(self):
        values = [200] * 24 * 14
        record = counted(HOURS, NOTHING, **readings(*values), longest=2 * HOUR)
        assert record.pace(now=MONDAY + 13 * DAY + 12 * HOUR).per_day == pytest.approx(24.0)

    def test_is_unknown_after_too_few_days(self):
        record = counted(HOURS, NOTHING, **readings(*[200] * 48), longest=2 * HOUR)
        assert record.pace(now=MONDAY + 2 * DAY).reason is Reason.TOO_LITTLE_HISTORY


class TestKey:
    def test_is_the_same_for_the_same(self):
        assert key_of(Meter("hours", "speed", above=100)) == key_of(Meter("hours", "speed", above=100.0))

    @pytest.mark.parametrize(
        "other",
        [
            pytest.param(Meter("cycles", "speed", above=100.0), id="another kind"),
            pytest.param(Meter("hours", "torque", above=100.0), id="another parameter"),
            pytest.param(Meter("hours", "speed", above=101.0), id="another limit"),
        ],
    )
    def test_differs_for_what_counts_otherwise(self, other):
        assert key_of(other) != key_of(HOURS)

    def test_tells_counters_apart_by_their_greatest_pace(self):
        assert key_of(Meter("counter", "hours")) != key_of(Meter("counter", "hours", most_per_day=24.0))
