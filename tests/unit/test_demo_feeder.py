"""The feeder: what the clock has reached goes out once acknowledged, in order, and broken things change it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from techtrack.core.clock import isoformat
from techtrack.demo import faults
from techtrack.demo.clock import Loop, ReplayClock, State, read_state
from techtrack.demo.load import Playing
from techtrack.demo.recordings import Recording
from techtrack.demo.replay import HOTTER, Feeder, Refused

START = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class FakeDoor:
    """Keeps what was sent; refuses while ``shut``."""

    def __init__(self) -> None:
        self.items: list[dict] = []
        self.shut = False

    def send(self, items: list[dict]) -> dict:
        if self.shut:
            raise Refused("shut")
        self.items += items
        return {"accepted": len(items)}

    def close(self) -> None:
        """Nothing is open."""


class Wall:
    """A clock on the wall that the test moves."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


def minutely(key: str, code: str) -> Playing:
    """An hour of readings, one a minute from the start, whose value is the minute."""
    minutes = np.arange(60)
    return Playing(key, Recording(minutes, {code: minutes.astype(float)}), Loop(minutes * 60_000_000, 3_600_000_000))


@pytest.fixture(autouse=True)
def _own_home(tmp_path, settings):
    settings.HOME = tmp_path


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def door() -> FakeDoor:
    return FakeDoor()


@pytest.fixture
def feeder(door, wall) -> Feeder:
    state = State(START, ReplayClock(START, START, 1), START)
    playing = [minutely("large-machine", "temperature"), minutely("inspection-1", "feature_1")]
    return Feeder(state, playing, door, wall)


def values(door: FakeDoor, key: str) -> list[float]:
    return [next(iter(item["values"].values())) for item in door.items if item["asset"] == key]


class TestFeeder:
    def test_stops_although_it_never_started(self, feeder):
        """Ctrl-C may come in the moment before."""
        feeder.stop()
        assert feeder.state.clock.speed == 0

    def test_sends_what_the_clock_has_reached_in_order(self, feeder, door, wall):
        wall.now += 2.5 * MINUTE
        feeder.step()
        assert [item["timestamp"] for item in door.items] == [
            isoformat(START + number * MINUTE) for number in (1, 1, 2, 2)
        ]
        feeder.step()
        assert len(door.items) == 4

    def test_does_not_pass_what_was_not_acknowledged(self, feeder, door, wall):
        wall.now += MINUTE
        door.shut = True
        with pytest.raises(Refused):
            feeder.step()
        door.shut = False
        feeder.step()
        assert values(door, "inspection-1") == [1]

    def test_leaves_its_place_for_the_next_run(self, feeder, wall):
        wall.now += 5 * MINUTE
        feeder.step()
        assert read_state().through == START + 5 * MINUTE

    def test_catches_up_by_the_hour(self, feeder, door, wall):
        wall.now += 150 * MINUTE
        assert [feeder.step(), feeder.step(), feeder.step()] == [True, True, False]
        assert len(values(door, "inspection-1")) == 150

    def test_sends_hot_readings_at_once_while_the_machine_overheats(self, feeder, door, wall):
        wall.now += MINUTE
        feeder.step()
        faults.set_broken(name="overheat", is_broken=True, now=wall.now)
        wall.now += timedelta(seconds=1)
        feeder.step()
        faults.mend_all()
        wall.now += timedelta(seconds=1)
        feeder.step()
        assert values(door, "large-machine") == [1, 1 + HOTTER, 1]
        assert [item["values"].get("demo_fault") for item in door.items if item["asset"] == "large-machine"] == [
            None,
            1,
            0,
        ]

    def test_repeats_the_last_values_of_a_stuck_station(self, feeder, door, wall):
        wall.now += MINUTE
        feeder.step()
        faults.set_broken(name="stuck", is_broken=True, now=wall.now)
        wall.now += 3 * MINUTE
        feeder.step()
        faults.mend_all()
        wall.now += MINUTE
        feeder.step()
        assert values(door, "inspection-1") == [1, 1, 1, 1, 5]

    def test_keeps_everything_while_the_gateway_is_silent(self, feeder, door, wall):
        faults.set_broken(name="silent", is_broken=True, now=wall.now)
        wall.now += 3 * MINUTE
        feeder.step()
        assert door.items == []
        faults.mend_all()
        feeder.step()
        assert values(door, "inspection-1") == [1, 2, 3]
