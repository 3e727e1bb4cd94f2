"""Time of people: counted once, whatever overlaps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.tasks.domain.labour import LONGEST, Stretch, TimeBackwards, TimeToCome, TooLong, check, spent

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def of(person, *hours):
    return [Stretch(person, NOW + start * HOUR, NOW + end * HOUR) for start, end in hours]


class TestSpent:
    @pytest.mark.parametrize(
        ("stretches", "hours"),
        [
            pytest.param([], 0, id="nothing"),
            pytest.param(of("olga", (0, 2)), 2, id="one"),
            pytest.param(of("olga", (0, 2), (2, 3)), 3, id="one after the other"),
            pytest.param(of("olga", (0, 2), (5, 6)), 3, id="with a pause"),
            pytest.param(of("olga", (0, 2), (1, 3)), 3, id="partly the same"),
            pytest.param(of("olga", (0, 4), (1, 2)), 4, id="one inside the other"),
            pytest.param(of("olga", (0, 4), (0, 4)), 4, id="twice the same"),
            pytest.param(of("olga", (3, 4), (0, 1)), 2, id="in any order"),
            pytest.param(of("olga", (0, 2)) + of("erik", (0, 2)), 4, id="of two people at once"),
        ],
    )
    def test_adds_up(self, stretches, hours):
        assert spent(stretches) == hours * HOUR

    @given(st.lists(st.tuples(st.integers(0, 100), st.integers(1, 20)), max_size=20))
    def test_of_one_person_is_how_many_hours_are_covered(self, given_stretches):
        stretches = of("olga", *((start, start + length) for start, length in given_stretches))
        covered = {hour for start, length in given_stretches for hour in range(start, start + length)}
        assert spent(stretches) == len(covered) * HOUR


class TestCheck:
    @pytest.mark.parametrize(
        ("start", "end", "error", "pointer"),
        [
            pytest.param(NOW, NOW, TimeBackwards, "/ended_at", id="no time"),
            pytest.param(NOW, NOW - HOUR, TimeBackwards, "/ended_at", id="backwards"),
            pytest.param(NOW - HOUR, NOW + HOUR, TimeToCome, "/ended_at", id="ends later"),
            pytest.param(NOW + HOUR, NOW + 2 * HOUR, TimeToCome, "/started_at", id="begins later"),
            pytest.param(NOW - LONGEST - HOUR, NOW, TooLong, "/ended_at", id="too long"),
        ],
    )
    def test_refuses(self, start, end, error, pointer):
        with pytest.raises(error) as caught:
            check(start, end, now=NOW)
        assert caught.value.faults[0].pointer == pointer

    def test_passes_up_to_now_and_up_to_a_day(self):
        check(NOW - LONGEST, NOW, now=NOW)
