"""Replay: recorded time runs at the speed asked for, from now on, and nothing lies in the future."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from techtrack.core.clock import from_micros, isoformat, to_micros
from techtrack.demo.generators.replay import TICK, NothingToReplay, Recorded, due, of_file
from techtrack.integrations.codecs.csv_table import Layout

START = to_micros(datetime(2026, 11, 21, 10, 0, tzinfo=UTC))
LONG_AGO = to_micros(datetime(2015, 1, 1, tzinfo=UTC))
MINUTE = 60_000_000
CSV = """time,machine,temperature,pressure
2015-01-01T00:01:00Z,pump-2,21.5,1.5
2015-01-01T00:00:00Z,pump-1,20.5,
not a time,pump-1,1,1
2015-01-01T00:02:00Z,pump-1,,
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "readings.csv"
    path.write_text(CSV)
    return path


class TestDue:
    @pytest.mark.parametrize(("speed", "seconds"), [(1, 60), (60, 1), (0.5, 120)])
    def test_moves_times_to_now_and_runs_at_the_speed(self, speed, seconds):
        recorded = [Recorded(LONG_AGO + number * MINUTE, "a", {"t": number}) for number in range(3)]
        sent = list(due(recorded, start=START, speed=speed))
        stamps = [item["timestamp"] for _, items in sent for item in items]
        assert stamps == [isoformat(from_micros(START + number * seconds * 1_000_000)) for number in range(3)]
        assert [at for at, _ in sent] == pytest.approx([number * seconds + TICK for number in range(3)])

    def test_no_reading_is_sent_before_its_time(self):
        recorded = [Recorded(LONG_AGO + number * 37_000, "a", {"t": 1}) for number in range(500)]
        for at, items in due(recorded, start=START, speed=3):
            for item in items:
                assert to_micros(datetime.fromisoformat(item["timestamp"])) <= START + at * 1e6

    def test_sends_together_what_is_due_together(self):
        recorded = [Recorded(LONG_AGO + number, "a", {"t": 1}) for number in range(100)]
        assert [len(items) for _, items in due(recorded, start=START, speed=1)] == [100]


class TestOfFile:
    def test_reads_in_order_of_time_and_leaves_out_what_says_nothing(self, file):
        found = of_file(file, Layout(asset="machine"), asset="")
        assert [(one.asset, one.values) for one in found] == [
            ("pump-1", {"temperature": 20.5}),
            ("pump-2", {"temperature": 21.5, "pressure": 1.5}),
        ]

    def test_gives_all_to_the_asset_that_is_named(self, file):
        assert {one.asset for one in of_file(file, Layout(), asset="pump-9")} == {"pump-9"}

    def test_asks_whose_readings_they_are(self, file):
        with pytest.raises(NothingToReplay, match="--asset"):
            of_file(file, Layout(), asset="")
