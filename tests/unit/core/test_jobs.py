"""Loops: what they do with a step that fails."""

from __future__ import annotations

import threading

import pytest

from techtrack.core import jobs
from techtrack.core.jobs import Loop


class Failing:
    """A step that fails as long as it is told to."""

    def __init__(self) -> None:
        self.fails = True
        self.called = threading.Event()
        self.calls = 0

    def __call__(self) -> bool:
        self.calls += 1
        self.called.set()
        if self.fails:
            raise RuntimeError("as ever")
        return False


@pytest.fixture
def closed(monkeypatch):
    """Counts how often connections are closed."""
    counted = []
    monkeypatch.setattr(jobs.connections, "close_all", lambda: counted.append(1))
    monkeypatch.setattr(jobs, "close_old_connections", lambda: None)
    return counted


class TestAStepThatFails:
    def test_is_tried_again_later_and_later(self, closed):
        step = Failing()
        loop = Loop("unlucky", step, every=1.0)
        waits = []
        for _ in range(8):
            loop._try()
            waits.append(round(loop._wait, 1))
        assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
        assert len(closed) == 8
        step.fails = False
        loop._try()
        assert loop._wait == 0

    @pytest.mark.usefixtures("closed")
    def test_is_not_hurried_by_news_nor_holds_up_the_end(self, monkeypatch):
        monkeypatch.setattr(jobs, "SHORTEST_WAIT", 600.0)
        monkeypatch.setattr(jobs, "LONGEST_WAIT", 600.0)
        step = Failing()
        loop = Loop("unlucky", step, every=0.01)
        loop.start()
        assert step.called.wait(30)
        loop.wake()
        loop.stop(timeout=30)
        assert (loop._thread.is_alive(), step.calls) == (False, 1)


class TestRest:
    """A pause inside a step."""

    @pytest.mark.usefixtures("closed")
    def test_ends_where_its_loop_is_told_to(self):
        resting, rested = threading.Event(), threading.Event()

        def step() -> bool:
            resting.set()
            jobs.rest(600.0)
            rested.set()
            return False

        loop = Loop("sleepy", step, every=1.0)
        loop.start()
        assert resting.wait(30)
        loop.stop(timeout=30)
        assert rested.is_set()

    def test_lasts_where_no_loop_runs(self, monkeypatch):
        slept = []
        monkeypatch.setattr(jobs.time, "sleep", slept.append)
        jobs.rest(0.25)
        assert slept == [0.25]
