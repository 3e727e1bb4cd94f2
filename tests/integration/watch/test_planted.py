"""A campaign of deaths, hangs and wrong clocks: what must be told is told, nothing else is; lesser watchers fail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from techtrack.alerts.models import Alert
from techtrack.core import clock
from techtrack.watch import jobs, queries
from techtrack.watch.domain import checks, facts
from tests.integration.watch.conftest import LOOPS, Process

pytestmark = pytest.mark.django_db
OFF = 300.0


def campaign(world) -> list[str]:
    """Let processes with wrong clocks live, hang and die; return what was told wrongly or not at all."""
    faults = []
    for clock_off in (0.0, OFF, -OFF):
        world.process("web", clock_off=clock_off)
    first = world.process("worker", clock_off=-OFF)
    second = world.process("worker", clock_off=OFF)
    world.run(600)
    if Alert.objects.exists():
        faults.append("a false alarm")
    for worker in (first, second):
        worker.hung.add("judge")
    world.run(180)
    if not world.active("stuck_loop"):
        faults.append("a judge that hangs is not told")
    for worker in (first, second):
        worker.hung.clear()
        worker.loops = dict(LOOPS)
    world.run(180)
    first.kill()
    second.kill()
    world.run(180)
    if not world.active("no_worker"):
        faults.append("dead workers are not told")
    return faults


class TestCampaign:
    def test_finds_nothing_wrong(self, world):
        assert campaign(world) == []

    def test_catches_a_watcher_that_trusts_its_own_clock(self, world, monkeypatch):
        monkeypatch.setattr(Process, "now", lambda process: process.world.at + process.clock_off)
        assert campaign(world)

    def test_catches_a_watcher_that_trusts_heartbeats_alone(self, world, monkeypatch):
        monkeypatch.setattr(checks, "PATIENCE", {})
        assert campaign(world) == ["a judge that hangs is not told"]

    def test_catches_a_watch_that_workers_keep_alone(self, world, monkeypatch):
        look = Process.look
        monkeypatch.setattr(Process, "look", lambda process: process.kind == "web" or look(process))
        assert "dead workers are not told" in campaign(world)


class TestMoment:
    def test_is_by_the_clock_that_all_share(self):
        wrong = datetime(2000, 1, 1, tzinfo=UTC)
        found = queries.moment(wrong)
        if connection.vendor == "postgresql":
            assert abs(found - clock.now()) < timedelta(minutes=5)
        else:
            # A file on this machine: its clock is the clock.
            assert found == wrong


class TestStandIn:
    @pytest.mark.parametrize(
        ("prepare", "expected"),
        [
            pytest.param(lambda worker: worker.hung.clear(), False, id="not while a worker sends"),
            pytest.param(lambda worker: worker.kill(), True, id="when it is dead"),
            pytest.param(lambda worker: worker.end(), True, id="when it has ended"),
            pytest.param(lambda worker: worker.hung.add("sender"), True, id="when its sender hangs"),
            pytest.param(lambda worker: worker.hung.add("teller"), True, id="when its teller hangs"),
            pytest.param(lambda worker: worker.hung.add("judge"), False, id="not when its judge hangs"),
        ],
    )
    def test_steps_in(self, world, prepare, expected):
        world.process("web")
        worker = world.process("worker")
        world.run(60)
        prepare(worker)
        world.run(180)
        assert facts.nobody_sends(queries.look(world.at), queries.limits()) is expected

    def test_takes_steps_only_then_and_tells_whether_there_is_more(self):
        watch, taken = jobs.Watch(), []

        def busy():
            taken.append("busy")
            return True

        assert not watch.stand_in(busy)
        assert taken == []
        watch._nobody_sends = True
        assert watch.stand_in(busy)
        assert taken == ["busy"]
