"""What is remembered from look to look: the judge's lag without anybody's clock, and the habits of sources."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.watch.domain.following import FADING, KNOWN, SHORTEST_SILENCE, Habit, habit, mark

START = datetime(2026, 11, 21, 10, tzinfo=UTC)
EVERY = 15.0


def lags(looks):
    """What is told of the lag after each look (head, judged), 15 s apart."""
    followed, told = None, []
    for number, (head, judged) in enumerate(looks):
        followed = mark(followed, head=head, judged=judged, at=START + timedelta(seconds=EVERY * number))
        told.append(followed.lag if followed else 0.0)
    return told


class TestMark:
    @pytest.mark.parametrize(
        ("looks", "expected"),
        [
            pytest.param([(5, 5), (9, 9)], [0, 0], id="nothing waits"),
            pytest.param([(9, 8), (19, 18), (29, 28)], [0, 0, 0], id="always a little waits, and never for long"),
            pytest.param([(9, 5), (19, 5), (29, 5), (39, 5)], [0, 15, 30, 45], id="a judge that stands still"),
            pytest.param([(9, 5), (9, 5), (9, 9)], [0, 15, 0], id="all was judged at last"),
            pytest.param([(9, 5), (19, 5), (29, 5), (39, 10)], [0, 15, 30, 30], id="one that is late stays late"),
            pytest.param(
                [(9, 5), (19, 5), (29, 5), (39, 10), (49, 45), (59, 58)],
                [0, 15, 30, 30, 0, 0],
                id="and is forgiven once it keeps up",
            ),
            pytest.param([(900, 5), (900, 5), (9, 5), (9, 5)], [0, 15, 15, 15], id="an older database was put back"),
        ],
    )
    def test_tells_how_long_readings_wait_at_least(self, looks, expected):
        assert lags(looks) == expected

    @given(st.lists(st.integers(0, 100), min_size=1, max_size=60), st.integers(0, 20))
    def test_is_right_of_a_judge_that_is_always_so_late(self, growth, late):
        heads = [sum(growth[: number + 1]) for number in range(len(growth))]
        looks = [(head, heads[number - late] if number >= late else 0) for number, head in enumerate(heads)]
        assert max(lags(looks)) <= late * EVERY


class TestHabit:
    def known(self, *pauses):
        """A source that made these pauses (s)."""
        seen = START
        found = habit(None, seen=seen)
        for pause in pauses:
            seen += timedelta(seconds=pause)
            found = habit(found, seen=seen)
        return found

    def test_is_unknown_at_first(self):
        assert self.known().patience is None
        assert self.known(*[60] * (KNOWN - 1)).patience is None

    def test_of_a_busy_source_allows_ten_minutes(self):
        assert self.known(*[60] * KNOWN).patience == SHORTEST_SILENCE.total_seconds()

    def test_of_a_daily_source_allows_three_days(self):
        assert self.known(*[86_400] * KNOWN).patience == pytest.approx(3 * 86_400)

    def test_forgets_one_bad_night(self):
        weeks = [60] * KNOWN + [8 * 3600] + [60] * 100
        assert self.known(*weeks).patience == SHORTEST_SILENCE.total_seconds()

    def test_is_not_touched_by_looking_again(self):
        before = self.known(*[60] * KNOWN)
        assert habit(before, seen=before.seen) == before
        assert habit(before, seen=START) == before

    @given(st.lists(st.floats(60, 1e6), min_size=KNOWN, max_size=40))
    def test_never_calls_a_source_silent_in_a_pause_that_it_made_lately(self, pauses):
        found = self.known(*pauses)
        assert isinstance(found, Habit)
        assert found.patience is not None
        assert found.patience >= 3 * FADING * pauses[-1]
