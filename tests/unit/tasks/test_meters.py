"""What meters count from readings: by hand, and the same whichever way the readings come in pieces."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.core.errors import Invalid
from techtrack.tasks.domain.meters import Meter, Tally, count

HOUR = 3_600_000_000
LONG = timedelta(days=30)
RUNNING = Meter("hours", "power", above=5)
STARTS = Meter("cycles", "power", above=5)
DOSE = Meter("dose", "pm2_5")
COUNTER = Meter("counter", "running_hours", most_per_day=24)
PARTS = Meter("counter", "parts")


def counted(meter, *points, holds=LONG, tally=Tally()):  # noqa: B008 - frozen
    """Count readings of (hours, value)."""
    times = np.array([round(hours * HOUR) for hours, _ in points], np.int64)
    values = np.array([value for _, value in points], np.float64)
    return count(meter, tally=tally, times=times, values=values, holds=holds)


class TestCount:
    @pytest.mark.parametrize(
        ("meter", "points", "expected"),
        [
            pytest.param(RUNNING, [(0, 9), (2, 9), (3, 0), (7, 0), (8, 6)], 3.0, id="hours above the limit"),
            pytest.param(RUNNING, [(0, 5), (2, 5)], 0.0, id="at the limit is not above it"),
            pytest.param(RUNNING, [(0, 9)], 0.0, id="one reading lasts no time"),
            pytest.param(STARTS, [(0, 9), (1, 0), (2, 9), (3, 8), (4, 5), (5, 6)], 2.0, id="starts"),
            pytest.param(DOSE, [(0, 10), (2, 40), (3, 0), (9, 7)], 60.0, id="20 and 40 µg/m³ x h"),
            pytest.param(DOSE, [(0, -3), (2, 10), (3, 0)], 10.0, id="noise below zero"),
            pytest.param(PARTS, [(0, 100), (1, 130), (2, 130), (3, 155)], 55.0, id="a counter"),
            pytest.param(PARTS, [(0, 100), (1, 130), (2, 4), (3, 9)], 39.0, id="a counter that began again"),
            pytest.param(PARTS, [(0, 1000), (1, 999), (2, 1010)], 11.0, id="a counter that was mended"),
            pytest.param(PARTS, [(0, 5), (1, -1.7e308), (2, 1.7e308), (3, 9), (4, 11)], 11.0, id="a mad counter"),
            pytest.param(DOSE, [(0, 1.7e308), (20, 3), (21, 0)], 3.0, id="a mad sensor"),
            pytest.param(COUNTER, [(0, 100), (10, 108)], 8.0, id="hours of its own"),
            pytest.param(COUNTER, [(0, 100), (1, 5000), (2, 5001)], 2.0, id="another counter that shows more"),
            pytest.param(COUNTER, [(0, 9000), (1, 400), (3, 401)], 2.0, id="another counter that shows less"),
        ],
    )
    def test_adds_up_what_the_asset_did(self, meter, points, expected):
        assert counted(meter, *points).total == pytest.approx(expected)

    def test_a_value_holds_for_a_time_only(self):
        """The machine fell silent after an hour: nobody knows whether it ran on."""
        assert counted(RUNNING, (0, 9), (1, 9), (40, 9), holds=timedelta(hours=2)).total == pytest.approx(3.0)

    def test_nothing_new_changes_nothing(self):
        tally = counted(RUNNING, (0, 9), (2, 9))
        assert counted(RUNNING, tally=tally) == tally
        assert counted(RUNNING, (1, 9), (2, 0), tally=tally) == tally

    def test_a_new_counter_goes_on_from_what_it_shows(self):
        tally = counted(PARTS, (0, 12_000), (1, 12_010)).replaced(time=2 * HOUR, value=13_000)
        assert counted(PARTS, (3, 13_005), tally=tally).total == pytest.approx(15.0)

    @given(
        st.sampled_from([RUNNING, STARTS, DOSE, COUNTER, PARTS]),
        st.lists(st.tuples(st.floats(0.01, 5), st.floats(0, 1000)), min_size=1, max_size=30),
        st.lists(st.integers(0, 30), max_size=6),
    )
    def test_is_the_same_in_pieces_and_never_less(self, meter, steps, cuts):
        hours = np.cumsum([step for step, _ in steps])
        points = [(hour, value) for hour, (_, value) in zip(hours, steps, strict=True)]
        whole, tally = counted(meter, *points), Tally()
        for low, high in zip([0, *sorted(cuts)], [*sorted(cuts), len(points)], strict=True):
            before, tally = tally, counted(meter, *points[low:high], tally=tally)
            assert tally.total >= before.total
        assert tally.total == pytest.approx(whole.total)
        assert (tally.time, tally.value) == (whole.time, whole.value)


class TestMeter:
    def test_is_read_from_its_fields(self):
        assert Meter.parse({"kind": "hours", "parameter": "power", "above": 5}, pointer="") == RUNNING
        assert Meter.parse({"kind": "dose", "parameter": "pm2_5"}, pointer="") == DOSE

    @pytest.mark.parametrize(
        ("raw", "pointer"),
        [
            pytest.param({"kind": "miles", "parameter": "power"}, "/meter/kind", id="no such kind"),
            pytest.param({"kind": "hours", "parameter": ""}, "/meter/parameter", id="of nothing"),
            pytest.param({"kind": "hours", "parameter": "power"}, "/meter/above", id="hours above what"),
            pytest.param({"kind": "dose", "parameter": "pm10", "above": 5}, "/meter/above", id="a limit without use"),
            pytest.param(
                {"kind": "counter", "parameter": "parts", "most_per_day": 0}, "/meter/most_per_day", id="counts nothing"
            ),
            pytest.param(
                {"kind": "dose", "parameter": "pm10", "most_per_day": 9}, "/meter/most_per_day", id="for counters"
            ),
            pytest.param({"kind": "dose", "parameter": "pm10", "unit": "g"}, "/meter/unit", id="an unknown field"),
        ],
    )
    def test_refuses_what_counts_nothing_and_says_where(self, raw, pointer):
        with pytest.raises(Invalid) as refused:
            Meter.parse(raw, pointer="/meter")
        assert [fault.pointer for fault in refused.value.faults] == [pointer]
