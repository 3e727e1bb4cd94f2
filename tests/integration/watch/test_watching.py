"""What the platform finds wrong with itself is raised as an alert, once, and returns when it is mended."""

from __future__ import annotations

from datetime import timedelta

import pytest

from techtrack.accounts.domain.access import internal
from techtrack.alerts import services as alerts
from techtrack.alerts.models import Alert
from techtrack.assets.models import Asset
from techtrack.notifications.jobs import tell
from techtrack.notifications.models import Channel, Delivery, DeliveryState, Notice
from techtrack.telemetry import queries as telemetry
from techtrack.telemetry.models import LogConsumer
from techtrack.watch.models import Check, Heartbeat
from tests import factories
from tests.integration.watch.conftest import LOOPS, PLENTY

pytestmark = pytest.mark.django_db


@pytest.fixture
def web(world):
    return world.process("web")


@pytest.fixture
def worker(world, web):
    found = world.process("worker")
    world.run(60)
    return found


class TestAll:
    def test_that_is_well_is_not_told_and_leaves_no_trace(self, world, worker):
        world.run(300)
        assert not Alert.objects.exists()
        assert not Check.objects.exists()
        assert not Asset.objects.exists()
        assert Heartbeat.objects.count() == 2

    def test_of_one_process_works_too(self, world):
        world.process("both")
        world.run(300)
        assert not Alert.objects.exists()


class TestJudgeLag:
    def test_is_raised_and_returns(self, world, worker, robot):
        factories.make_reading(robot, at=world.at)
        world.until(lambda: world.active("judge_lag"))
        alert = world.alerts("judge_lag")[0]
        assert alert.title.endswith("behind: 1 batches of readings wait for it")
        assert (alert.severity, alert.limit, alert.asset.tags) == ("high", 60.0, ["techtrack"])
        assert alert.value is not None
        assert alert.value >= 60
        LogConsumer.objects.filter(name="judge").update(position=telemetry.head())
        world.until(lambda: not world.active("judge_lag"))
        assert len(world.alerts("judge_lag")) == 1

    def test_is_not_told_of_a_judge_that_keeps_up(self, world, worker, robot):
        for _ in range(20):
            passed = telemetry.head()
            factories.make_reading(robot, at=world.at)
            LogConsumer.objects.filter(name="judge").update(position=passed)
            world.run(15)
        assert not world.alerts("judge_lag")


class TestWorker:
    def test_that_dies_is_told_by_a_web_process(self, world, worker):
        worker.kill()
        assert world.until(lambda: world.active("no_worker")) <= 75
        assert world.alerts("no_worker")[0].severity == "critical"
        world.process("worker")
        world.until(lambda: not world.active("no_worker"))
        world.run(3600)
        assert set(world.told()) == {"no_worker"}

    def test_that_dies_beside_others_is_missed(self, world, worker):
        world.process("worker")
        world.run(60)
        worker.kill()
        world.until(lambda: world.active("dead_worker"))
        assert world.alerts("dead_worker")[0].title == "1 worker has died: plant:1001"
        assert not world.alerts("no_worker")
        world.process("worker")
        world.until(lambda: not world.active("dead_worker"))

    def test_that_ends_in_good_order_is_not_missed_beside_others(self, world, worker):
        world.process("worker")
        world.run(60)
        worker.end()
        world.run(600)
        assert not Alert.objects.exists()

    def test_that_ends_in_good_order_and_does_not_come_back_is_told(self, world, worker):
        worker.end()
        world.until(lambda: world.active("no_worker"))

    def test_that_never_came_is_told(self, world, web):
        world.until(lambda: world.active("no_worker"))

    def test_that_is_replaced_again_and_again_is_not_missed(self, world, worker):
        for _ in range(5):
            worker.kill()
            world.run(30)
            worker = world.process("worker")
            world.run(60)
        assert not Alert.objects.exists()

    def test_is_no_longer_missed_a_day_later(self, world, worker):
        world.process("worker")
        world.run(60)
        worker.kill()
        world.until(lambda: world.active("dead_worker"))
        world.run(86_400, every=600)
        world.until(lambda: not world.active("dead_worker"))
        assert not Heartbeat.objects.filter(pk=worker.id).exists()

    @pytest.mark.parametrize("loop", ["judge", "sender", "teller"])
    def test_that_beats_but_hangs_is_told(self, world, worker, loop):
        worker.hung.add(loop)
        world.until(lambda: world.active("stuck_loop"))
        assert world.alerts("stuck_loop")[0].title.startswith(f"The {loop} hangs")
        worker.hung.clear()
        worker.loops = dict(LOOPS)
        world.until(lambda: not world.active("stuck_loop"))


class TestDisk:
    def test_that_fills_is_told_and_returns(self, world, worker, web):
        worker.disks = {"/data": PLENTY, "/database": 900 << 20}
        world.until(lambda: world.active("disk_full"))
        alert = world.alerts("disk_full")[0]
        assert alert.title == "0.88 GiB of disk are free for /database on plant"
        assert (alert.severity, alert.limit) == ("critical", 1.0)
        worker.disks = {"/data": PLENTY, "/database": 1100 << 20}
        world.run(600)
        assert world.active("disk_full"), "a little above the limit is not enough"
        worker.disks = {"/data": PLENTY, "/database": 2000 << 20}
        world.until(lambda: not world.active("disk_full"))

    def test_of_a_process_that_died_is_not_looked_at(self, world, worker, web):
        world.process("worker")
        world.run(15)
        worker.disks = {"/data": 1}
        worker.tick(0)
        worker.kill()
        world.run(120)
        world.process("worker")
        world.run(300)
        assert not world.active("disk_full")


class TestSource:
    @pytest.fixture
    def key(self, adam):
        return factories.make_key(adam)

    def send(self, world, key, *, times=10, every=60):
        for _ in range(times):
            type(key).objects.filter(pk=key.pk).update(last_used=world.at)
            world.run(every, every=min(every, 60))

    def test_that_stops_is_told_and_returns(self, world, worker, key):
        self.send(world, key)
        assert world.until(lambda: world.active("silent_source"), within=900) >= 540
        assert world.alerts("silent_source")[0].title == f"'{key.name}' has sent nothing for 10 min"
        self.send(world, key, times=5)
        assert not world.active("silent_source")

    def test_that_always_makes_long_pauses_is_not(self, world, worker, key):
        self.send(world, key, times=7, every=1800)
        world.run(3600, every=60)
        assert not Alert.objects.exists()

    def test_that_was_hardly_ever_used_is_not(self, world, worker, key):
        self.send(world, key, times=2)
        world.run(7200, every=60)
        assert not Alert.objects.exists()

    def test_that_is_revoked_is_forgotten(self, world, worker, key):
        self.send(world, key)
        world.until(lambda: world.active("silent_source"), within=900)
        key.delete()
        world.until(lambda: not world.active("silent_source"))
        world.run(3720, every=60)
        assert not Check.objects.exists()


class TestChannel:
    @pytest.fixture
    def channel(self, db):
        return factories.make_channel(name="Mail")

    def test_that_fails_for_long_is_told_and_returns(self, world, worker, channel):
        Channel.objects.update(failing_since=world.at)
        assert world.until(lambda: world.active("failing_channel")) >= 300
        assert world.alerts("failing_channel")[0].title.startswith("The channel 'Mail' has failed for 5 min")
        Channel.objects.update(failing_since=None)
        world.until(lambda: not world.active("failing_channel"))

    def test_that_failed_for_a_moment_is_not(self, world, worker, channel):
        for _ in range(10):
            Channel.objects.update(failing_since=world.at)
            world.run(120)
            Channel.objects.update(failing_since=None)
            world.run(30)
        assert not Alert.objects.exists()

    def test_that_is_switched_off_or_deleted_is_no_trouble(self, world, worker, channel):
        other = factories.make_channel(failing_since=world.at)
        Channel.objects.update(failing_since=world.at)
        world.until(lambda: len(world.alerts("failing_channel")) == 2)
        Channel.objects.filter(pk=channel.pk).update(enabled=False)
        other.delete()
        world.until(lambda: not world.active("failing_channel"))

    def test_of_which_messages_were_given_up_is_told(self, world, worker, channel):
        delivery = factories.make_delivery(channel, state=DeliveryState.DEAD)
        # It was tried for longer than a day.
        Delivery.objects.update(created_at=world.at - timedelta(days=2), next_attempt_at=world.at)
        world.until(lambda: world.active("dead_letters"))
        assert world.alerts("dead_letters")[0].title == "1 message was given up"
        Delivery.objects.filter(pk=delivery.pk).update(state=DeliveryState.SENT)
        world.until(lambda: not world.active("dead_letters"))


class TestTelling:
    def test_that_breaks_is_told_until_it_is_mended(self, world, worker, plant, monkeypatch):
        factories.make_route(factories.make_channel(), tags=["cnc"])
        robot = factories.make_equipment("Robot", tags=["cnc"], site=plant)
        data = {"asset": robot, "severity": "high", "title": "Too hot"}
        alerts.create_alert(by=internal(), now=world.at, data=data)

        def break_down(*_, **__):
            raise ValueError("whatever it is")

        with monkeypatch.context() as patch:
            patch.setattr("techtrack.notifications.services.tell_groups", break_down)
            world.run(60)
            tell(now=world.at)
            world.until(lambda: world.active("untold_groups"))
        assert world.alerts("untold_groups")[0].title == "1 group of alerts cannot be told"
        world.run(60)
        tell(now=world.at)
        assert Delivery.objects.filter(event="raised").exists()
        world.until(lambda: not world.active("untold_groups"))


class TestAlert:
    def test_is_routed_like_any_other(self, world, worker, other_site):
        channel = factories.make_channel()
        wanted = factories.make_route(channel, tags=["techtrack"], minimum_severity="critical")
        factories.make_route(channel, tags=["cnc"])
        factories.make_route(channel, site=other_site)
        worker.kill()
        world.until(lambda: world.active("no_worker"))
        assert [notice.route_id for notice in Notice.objects.all()] == [wanted.pk]

    def test_that_somebody_closed_or_deleted_is_raised_again_while_it_is_so(self, world, worker):
        worker.kill()
        world.until(lambda: world.active("no_worker"))
        alert = world.alerts("no_worker")[0]
        changes = {"active": False}
        alerts.update_alert(alert=alert, by=internal(), changes=changes, expected=None, now=world.at)
        world.until(lambda: world.active("no_worker"))
        for alert in world.alerts("no_worker"):
            Alert.objects.filter(pk=alert.pk).delete()
        world.until(lambda: world.active("no_worker"))
        world.process("worker")
        world.until(lambda: not world.active("no_worker"))
        world.run(600)
        assert not world.active("no_worker")

    def test_does_not_flap_with_a_worker_that_does(self, world, worker):
        for _ in range(12):
            worker.kill()
            world.run(120)
            worker = world.process("worker")
            world.run(120)
        assert len(world.alerts("no_worker")) <= 5

    def test_survives_a_clock_that_is_set(self, world, worker):
        world.at += timedelta(hours=1)
        world.run(60)
        world.at -= timedelta(hours=2)
        world.run(600)
        assert not Alert.objects.exists()
