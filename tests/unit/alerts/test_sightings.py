"""When assets were seen, and how often the platform is told."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from techtrack.alerts.domain.series import Panel
from techtrack.alerts.domain.sightings import FEW, TOLD_EVERY, Sightings
from tests.factories import NOW

MANY = range(1, FEW + 11)
SECOND = timedelta(seconds=1)


def panel(assets=MANY):
    return Panel(np.array(assets, np.int64))


def see(sightings, on, at, assets=MANY):
    ids = np.array(assets, np.int64)
    sightings.note(ids, on.find(ids), np.full(len(ids), at, np.int64))


def tell(sightings, now):
    due = sightings.due(now)
    sightings.settle(now)
    return due


@pytest.fixture
def known():
    return panel()


@pytest.fixture
def sightings(known):
    return Sightings(known)


class TestSightings:
    def test_are_told_at_once_the_first_time(self, sightings, known):
        see(sightings, known, 5)
        assert tell(sightings, NOW) == dict.fromkeys(MANY, 5)
        assert tell(sightings, NOW) == {}

    def test_of_many_assets_are_told_every_few_seconds_and_lose_nothing(self, sightings, known):
        see(sightings, known, 5)
        tell(sightings, NOW)
        see(sightings, known, 6)
        see(sightings, known, 7)
        assert tell(sightings, NOW + SECOND) == {}
        assert tell(sightings, NOW + TOLD_EVERY) == dict.fromkeys(MANY, 7)

    def test_are_told_again_after_the_clock_was_set_back(self, sightings, known):
        see(sightings, known, 5)
        tell(sightings, NOW)
        see(sightings, known, 6)
        assert tell(sightings, NOW - timedelta(hours=1)) == dict.fromkeys(MANY, 6)

    def test_of_a_few_are_told_at_once(self, sightings, known):
        see(sightings, known, 5)
        tell(sightings, NOW)
        see(sightings, known, 6, [3])
        assert tell(sightings, NOW + SECOND) == {3: 6}

    def test_are_all_told_when_nothing_may_stay_untold(self, sightings, known):
        see(sightings, known, 5)
        tell(sightings, NOW)
        see(sightings, known, 6)
        assert sightings.due(NOW, every=timedelta(0)) == dict.fromkeys(MANY, 6)

    def test_keep_the_newest_of_several(self, sightings, known):
        ids, times = np.array([1, 2, 1, 2, 1]), np.array([1, 2, 3, 4, 9])
        sightings.note(ids, known.find(ids), times)
        sightings.note_one(2, 3)
        assert tell(sightings, NOW) == {1: 9, 2: 4}

    def test_that_are_late_are_no_news(self, sightings):
        sightings.note_one(1, 5)
        tell(sightings, NOW)
        sightings.note_one(1, 4)
        assert tell(sightings, NOW + TOLD_EVERY) == {}

    def test_of_assets_that_are_not_known_yet_are_told(self, sightings, known):
        ids = np.array([999, 999, 0, 2])
        sightings.note(ids, known.find(ids), np.array([1, 2, 3, 4]))
        sightings.note_one(998, 7)
        assert tell(sightings, NOW) == {999: 2, 0: 3, 2: 4, 998: 7}
        assert tell(sightings, NOW) == {}

    def test_outlive_a_change_of_assets(self, sightings, known):
        see(sightings, known, 5)
        tell(sightings, NOW)
        see(sightings, known, 6)
        other = panel([0, *MANY[5:], 1000])
        sightings.move(other)
        assert tell(sightings, NOW + SECOND) == {}
        see(sightings, other, 7, [0, 1000])
        assert tell(sightings, NOW + TOLD_EVERY) == {0: 7, **dict.fromkeys(MANY[5:], 6), 1000: 7}
