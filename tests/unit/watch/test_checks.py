"""What a look says of processes, disks and all else, as a table."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techtrack.watch.domain.checks import KINDS, examine
from techtrack.watch.domain.facts import Channel, Disk, Facts, Limits, Process

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
LIMITS = Limits(dead=45.0, disk=1 << 30)
WORKS = {"judge": 0.0, "sender": 0.0, "teller": 0.0}


def worker(up, age, *, ended=False, **options):
    """A worker that began ``up`` seconds ago and was last heard of ``age`` seconds ago."""
    return Process(f"plant:{up:g}", works=True, up=up, age=age, ended=ended, loops=WORKS, **options)


def web(up=1000.0, age=0.0, **options):
    return Process("plant:80", works=False, up=up, age=age, **options)


def level(kind, *processes, subject="", **facts):
    found = examine(Facts(AT, processes=processes, **facts), LIMITS)
    (finding,) = [one for one in found if (one.kind, one.subject) == (kind, subject)]
    return finding.level


class TestNoWorker:
    @pytest.mark.parametrize(
        ("processes", "expected"),
        [
            pytest.param([], None, id="nobody at all can be seen"),
            pytest.param([worker(90, 5)], 0.0, id="one works"),
            pytest.param([worker(900, 90), web()], 2.0, id="one died"),
            pytest.param([worker(900, 90, ended=True), web()], 2.0, id="one ended, none came"),
            pytest.param([worker(900, 9, ended=True), web()], 0.2, id="one has just ended"),
            pytest.param([web(up=9)], 0.2, id="one may still come"),
            pytest.param([web(up=90), web(up=45)], 1.0, id="none ever came"),
        ],
    )
    def test_is_told_by_how_long_it_has_been_so(self, processes, expected):
        assert level("no_worker", *processes) == expected


class TestDeadWorker:
    @pytest.mark.parametrize(
        ("processes", "expected"),
        [
            pytest.param([worker(900, 5), worker(800, 90)], 1.0, id="one of two"),
            pytest.param([worker(80, 5), worker(800, 90)], 0.0, id="replaced"),
            pytest.param([worker(80, 5), worker(800, 90), worker(700, 95)], 1.0, id="two replaced by one"),
            pytest.param([worker(40, 5), worker(90, 50), worker(800, 100)], 0.0, id="the one who replaced it, too"),
            pytest.param(
                [worker(900, 5), worker(80, 70, ended=True), worker(800, 90)], 0.0, id="replaced by who ended"
            ),
            pytest.param([worker(900, 5), worker(800, 90, ended=True)], 0.0, id="ended in good order"),
            pytest.param([worker(900, 90), worker(800, 90)], None, id="none is left, which is told otherwise"),
        ],
    )
    def test_counts_those_in_whose_place_nobody_came(self, processes, expected):
        assert level("dead_worker", *processes) == expected

    @given(
        st.lists(st.tuples(st.floats(45, 1000), st.floats(0.1, 1000)), max_size=6),
        st.lists(st.floats(0.1, 2000), min_size=1, max_size=6),
    )
    def test_never_counts_more_than_died_and_nobody_once_as_many_came(self, dead, living):
        processes = [worker(age + more, age) for age, more in dead] + [worker(up, 0) for up in living]
        missed = level("dead_worker", *processes)
        assert missed is not None
        assert missed <= len(dead)
        # Whoever died last has nobody who came after, unless one of the living did.
        if dead and min(living) >= max(age for age, _ in dead):
            assert missed >= 1
        newest = [worker(1 + number / 10, 0) for number in range(len(dead))]
        assert level("dead_worker", *processes, *newest) == 0


class TestDisk:
    @pytest.mark.parametrize(
        ("processes", "expected"),
        [
            pytest.param([web()], None, id="nobody tells of one"),
            pytest.param([web(disks=(Disk("/a", 4 << 30), Disk("/b", 2 << 30)))], 0.5, id="the fullest counts"),
            pytest.param([web(disks=(Disk("/a", 0),))], float(1 << 30), id="not a byte is free"),
            pytest.param([web(disks=(Disk("/a", 1 << 29),), age=60.0)], None, id="who told of it is dead"),
        ],
    )
    def test_is_as_full_as_the_fullest_that_somebody_sees(self, processes, expected):
        assert level("disk_full", *processes) == expected


class TestLoops:
    def test_are_judged_by_the_worker_in_which_they_do_best(self):
        hung = Process("plant:1", works=True, up=900, age=5, loops={"judge": 235.0})
        assert level("stuck_loop", hung, subject="judge") == 2.0
        assert level("stuck_loop", hung, worker(90, 0), subject="judge") == 0.0
        assert level("stuck_loop", hung, subject="hider") is None


class TestKinds:
    def test_have_words_for_every_finding(self):
        found = examine(Facts(AT, processes=(worker(9, 1),), channels=(Channel(7, "Mail", 400.0),)), LIMITS)
        assert {finding.kind for finding in found} <= set(KINDS)
        assert [finding.title for finding in found if finding.is_grave] == ["The channel 'Mail' has failed for 7 min"]
