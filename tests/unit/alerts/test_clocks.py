"""Clocks that are ahead, set right."""

from __future__ import annotations

from dataclasses import replace

import pytest

from techtrack.alerts.domain.clocks import set_right
from tests.unit.alerts.watching import BEGIN, SECOND, log_entry

HOUR = 3600


def came(*readings, at=0):
    """An entry that came ``at`` a second, of (asset, second)."""
    rows = [(asset, BEGIN + second * SECOND, {"t": 1.0}) for asset, second in readings]
    return replace(log_entry(1, rows), received=BEGIN + at * SECOND)


def times(entry):
    return [(at - BEGIN) / SECOND for at in entry.batch.times.tolist()]


class TestSetRight:
    @pytest.mark.parametrize(
        ("readings", "expected", "ahead"),
        [
            pytest.param([(1, -HOUR), (2, 0)], [-HOUR, 0], {}, id="late and now"),
            pytest.param([(1, 300)], [300], {}, id="five minutes are nothing"),
            pytest.param([(1, HOUR)], [0], {1: HOUR * SECOND}, id="as of when it came"),
            pytest.param([(1, HOUR - 9), (1, HOUR)], [-9, 0], {1: HOUR * SECOND}, id="distances stay"),
            pytest.param([(1, HOUR), (1, 200)], [0, 200 - HOUR], {1: HOUR * SECOND}, id="of one clock all"),
            pytest.param([(2, 1), (1, HOUR), (2, 2)], [1, 0, 2], {1: HOUR * SECOND}, id="others' clocks are right"),
        ],
    )
    def test_moves_what_comes_from_the_future(self, readings, expected, ahead):
        right, told = set_right(came(*readings))
        assert (times(right), told) == (expected, ahead)

    def test_leaves_an_entry_alone_of_which_nobody_knows_when_it_came(self):
        entry = log_entry(1, [(1, BEGIN, {"t": 1.0})])
        assert set_right(entry) == (entry, {})

    def test_takes_an_empty_entry(self):
        entry = came()
        assert set_right(entry) == (entry, {})
