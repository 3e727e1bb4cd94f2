"""When a message is tried again, and how long its channel rests."""

from __future__ import annotations

from datetime import timedelta

import pytest

from techtrack.notifications.domain.retry import LONGEST_AGE, next_delay, pause

NEW = timedelta(0)


class TestNextDelay:
    @pytest.mark.parametrize(
        ("attempts", "seconds"),
        [
            pytest.param(1, 5, id="the first"),
            pytest.param(2, 10, id="doubles"),
            pytest.param(9, 1280, id="doubles still"),
            pytest.param(11, 3600, id="an hour at most"),
            pytest.param(10_000, 3600, id="an hour, however often"),
        ],
    )
    def test_grows(self, attempts, seconds):
        assert next_delay(attempts, age=NEW, retry=True, chance=0.5) == timedelta(seconds=seconds)

    @pytest.mark.parametrize(("chance", "seconds"), [(0.0, 3.75), (0.5, 5.0), (0.9, 6.0)])
    def test_is_spread_by_a_quarter(self, chance, seconds):
        assert next_delay(1, age=NEW, retry=True, chance=chance) == timedelta(seconds=seconds)

    @pytest.mark.parametrize(
        ("attempts", "age", "ends"),
        [
            pytest.param(10, LONGEST_AGE, True, id="often and old"),
            pytest.param(9, LONGEST_AGE, False, id="old, but hardly tried"),
            pytest.param(99, LONGEST_AGE - timedelta(seconds=1), False, id="often, but not old"),
        ],
    )
    def test_ends_where_it_failed_often_and_is_old(self, attempts, age, ends):
        assert (next_delay(attempts, age=age, retry=True, chance=0.5) is None) is ends

    def test_ends_sooner_where_the_other_side_refuses(self):
        assert next_delay(2, age=NEW, retry=False, chance=0.5) is not None
        assert next_delay(3, age=NEW, retry=False, chance=0.5) is None


class TestPause:
    @pytest.mark.parametrize(("failures", "seconds"), [(1, 1), (2, 2), (9, 256), (10, 300), (10_000, 300)])
    def test_grows_to_five_minutes(self, failures, seconds):
        assert pause(failures, chance=0.5) == timedelta(seconds=seconds)
