"""When a message is tried again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from techtrack.notifications.domain.retry import next_delay


class TestNextDelay:
    @pytest.mark.parametrize(
        ("attempts", "seconds"),
        [
            pytest.param(1, 30, id="the first"),
            pytest.param(2, 60, id="doubles"),
            pytest.param(7, 1920, id="doubles still"),
            pytest.param(8, 3600, id="an hour at most"),
            pytest.param(9, 3600, id="the last"),
        ],
    )
    def test_grows(self, attempts, seconds):
        assert next_delay(attempts, retry=True, chance=0.5) == timedelta(seconds=seconds)

    @pytest.mark.parametrize(("chance", "seconds"), [(0.0, 22.5), (0.999_999, 37.499_985)])
    def test_is_spread_by_a_quarter(self, chance, seconds):
        assert next_delay(1, retry=True, chance=chance) == timedelta(seconds=seconds)

    def test_ends_after_ten_attempts(self):
        assert next_delay(10, retry=True, chance=0.5) is None

    def test_ends_sooner_where_the_other_side_refuses(self):
        assert next_delay(2, retry=False, chance=0.5) is not None
        assert next_delay(3, retry=False, chance=0.5) is None
